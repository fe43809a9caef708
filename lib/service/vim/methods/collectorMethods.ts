/** Methods of property collectors. */

import { argument, type Call, type Handlers, referenceArgument } from '../call.js';
import { Collector, type RetrieveResult } from '../collector/collector.js';
import { Filter } from '../collector/filter.js';
import { checkSpec, type FilterSpec } from '../collector/select.js';
import { WireObject } from '../wireObject.js';

/** A collector as an object. */
export class CollectorObject extends WireObject {
  readonly collector: Collector;

  constructor(value: string, collector = new Collector()) {
    super('PropertyCollector', value, { filter: () => collector.filters });
    this.collector = collector;
  }
}

/** A filter as an object. */
class FilterObject extends WireObject {
  constructor(
    value: string,
    readonly filter: Filter,
    readonly collector: Collector,
  ) {
    super('PropertyFilter', value, {
      spec: () => ({ _type: 'PropertyFilterSpec', ...filter.spec }),
      partialUpdates: () => filter.partialUpdates,
    });
  }
}

function collectorOf({ receiver, session, service }: Call): Collector {
  return receiver instanceof CollectorObject ? receiver.collector : service.collectorOf(session);
}

interface Options {
  maxObjects?: number;
  maxWaitSeconds?: number;
  maxObjectUpdates?: number;
}

/** No answer where nothing is reported. */
const orNothing = (result: RetrieveResult): RetrieveResult | undefined =>
  result.objects.length === 0 ? undefined : result;

/** By `<type>.<method>`. */
export const COLLECTOR_METHODS: Handlers = {
  'PropertyCollector.RetrieveProperties': {
    run: async (call) =>
      (await collectorOf(call).retrieve(argument<FilterSpec[]>(call, 'specSet'), undefined, call.asking))
        .objects,
  },
  'PropertyCollector.RetrievePropertiesEx': {
    run: async (call) => {
      const { maxObjects } = argument<Options>(call, 'options');
      const specs = argument<FilterSpec[]>(call, 'specSet');
      return orNothing(await collectorOf(call).retrieve(specs, maxObjects, call.asking));
    },
  },
  'PropertyCollector.ContinueRetrievePropertiesEx': {
    run: (call) => collectorOf(call).continue(argument(call, 'token')),
  },
  'PropertyCollector.CancelRetrievePropertiesEx': {
    run: (call) => collectorOf(call).cancel(argument(call, 'token')),
  },
  'PropertyCollector.CreateFilter': {
    run(call) {
      const spec = argument<FilterSpec>(call, 'spec');
      checkSpec(spec);
      const collector = collectorOf(call);
      const filter = new Filter(spec, argument<boolean>(call, 'partialUpdates'));
      const object = call.session.keep((value) => new FilterObject(value, filter, collector));
      collector.add(object, filter);
      call.service.changes.tell();
      return object;
    },
  },
  'PropertyFilter.DestroyPropertyFilter': {
    run({ receiver, session, service }) {
      session.objects.delete(receiver.value);
      if (receiver instanceof FilterObject) receiver.collector.remove(receiver.value);
      service.changes.tell();
    },
  },
  'PropertyCollector.CreatePropertyCollector': {
    run: ({ session }) => session.keep((value) => new CollectorObject(value)),
  },
  'PropertyCollector.DestroyPropertyCollector': {
    run(call) {
      const collector = collectorOf(call);
      collector.cancelWaits();
      for (const { value } of collector.filters) {
        collector.remove(value);
        call.session.objects.delete(value);
      }
      call.session.objects.delete(call.receiver.value);
    },
  },
  'PropertyCollector.CheckForUpdates': {
    run: async (call) => (await collectorOf(call).check(argument(call, 'version'), call.asking)) ?? undefined,
  },
  'PropertyCollector.WaitForUpdates': {
    run: async (call) =>
      (await collectorOf(call).wait(argument(call, 'version'), {}, call.asking)) ?? {
        version: argument<string | undefined>(call, 'version') ?? '0',
        filterSet: [],
      },
  },
  'PropertyCollector.WaitForUpdatesEx': {
    run: async (call) => {
      const { maxWaitSeconds, maxObjectUpdates } = argument<Options | undefined>(call, 'options') ?? {};
      const limits = { maxWaitSeconds, maxObjectUpdates };
      return (await collectorOf(call).wait(argument(call, 'version'), limits, call.asking)) ?? undefined;
    },
  },
  'PropertyCollector.CancelWaitForUpdates': {
    run(call) {
      collectorOf(call).cancelWaits();
    },
  },
};

/** Views: what is in an object by type, as it is when it is read; and lists that a client makes. */
export const VIEW_METHODS: Handlers = {
  'ViewManager.CreateContainerView': {
    async run(call) {
      const { service, session } = call;
      const container = await service.require(referenceArgument(call, 'container'), session);
      const types = argument<string[]>(call, 'type');
      const recursive = argument<boolean>(call, 'recursive');
      return session.keep(
        (value) =>
          new WireObject('ContainerView', value, {
            container: () => container,
            type: () => types,
            recursive: () => recursive,
            view: (reading) => service.inventory.below(container, types, recursive, reading),
          }),
      );
    },
  },
  'ViewManager.CreateListView': {
    run: (call) => {
      const members = [...argument<WireObject[]>(call, 'obj')];
      return call.session.keep((value) => new ListViewObject(value, members));
    },
  },
  'ListView.ModifyListView': {
    async run(call) {
      const { members } = listOf(call);
      const gone = new Set(argument<WireObject[]>(call, 'remove').map(({ value }) => value));
      const kept = members.filter(({ value }) => !gone.has(value));
      members.splice(0, members.length, ...kept);
      return add(call, argument<WireObject[]>(call, 'add'));
    },
  },
  'ListView.ResetListView': {
    async run(call) {
      listOf(call).members.length = 0;
      return add(call, argument<WireObject[]>(call, 'obj'));
    },
  },
  'ListView.ResetListViewFromView': {
    async run(call) {
      const view = await call.service.require(referenceArgument(call, 'view'), call.session);
      listOf(call).members.length = 0;
      await add(call, ((await view.read('view', call.reading)) as WireObject[] | undefined) ?? []);
    },
  },
  'View.DestroyView': {
    run({ receiver, session, service }) {
      session.objects.delete(receiver.value);
      service.changes.tell();
    },
  },
};

/** A list of objects that a client keeps. */
class ListViewObject extends WireObject {
  constructor(
    value: string,
    readonly members: { type: string; value: string }[],
  ) {
    super('ListView', value, { view: () => members });
  }
}

const MOST_MEMBERS = 10_000;

function listOf({ receiver }: Call): { members: { type: string; value: string }[] } {
  return receiver instanceof ListViewObject ? receiver : { members: [] };
}

/** Those that are not there are the answer. */
async function add(call: Call, references: readonly WireObject[]): Promise<WireObject[]> {
  const { members } = listOf(call);
  const missing: WireObject[] = [];
  for (const reference of references) {
    const found = await call.service.find(reference, call.session);
    if (found === null || members.length >= MOST_MEMBERS) missing.push(reference);
    else if (!members.some(({ value }) => value === found.value)) members.push(found);
  }
  call.service.changes.tell();
  return missing;
}
