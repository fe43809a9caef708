/** Finding objects, and what happened: tasks are told, events there are none. */
import { ofEach } from '../../../core/ofEach.js';
import { invalidArgument } from '../../../facade/vsphere/faults.js';
import type { VirtualMachine } from '../../../facade/vsphere/index.js';
import type { GuestFacts } from '../../../host/guestFacts.js';
import { maySee } from '../../users/usersFile.js';
import { argument, type Call, type Handlers, referenceArgument } from '../call.js';
import { addressesOf } from '../inventory/guest.js';
import { PLACES } from '../inventory/places.js';
import type { WireTaskInfo } from '../taskInfo.js';
import { WireObject } from '../wireObject.js';

/** What of the VMs found the caller may see. */
function visible({ session }: Call, found: readonly (VirtualMachine | null)[]): VirtualMachine[] {
  return found.filter((vm) => vm !== null).filter(({ name }) => maySee(session.user, name));
}

function byUuid(call: Call): Promise<VirtualMachine[]> {
  return call.service.facade.content.searchIndex.FindAllByUuid(
    referenceArgument(call, 'datacenter'),
    argument(call, 'uuid'),
    argument(call, 'vmSearch'),
    argument(call, 'instanceUuid'),
  );
}

/** The host has one too. */
function isHost(call: Call): boolean {
  const { hostUuid } = call.service;
  return (
    !argument<boolean>(call, 'vmSearch') &&
    hostUuid !== '' &&
    argument<string>(call, 'uuid').toLowerCase() === hostUuid
  );
}

async function byPath(call: Call): Promise<WireObject | undefined> {
  const { service, session, reading } = call;
  let at = await service.require(PLACES.root, session);
  const steps = argument<string>(call, 'inventoryPath')
    .split('/')
    .filter((step) => step !== '');
  for (const step of steps) {
    const next = await childOf(call, at, decode(step), reading);
    if (next === undefined) return undefined;
    at = next;
  }
  return at;
}

async function childOf(
  { service }: Call,
  parent: WireObject,
  name: string,
  reading: Call['reading'],
): Promise<WireObject | undefined> {
  for (const child of await service.inventory.childrenOf(parent, reading))
    if (decode(String(await child.read('name', reading))) === name) return child;
  return undefined;
}

/** Names are the same whether `/`, `%` and `\` in them are written as `%2f`, `%25` and `%5c` or not. */
function decode(name: string): string {
  return name.replace(/%(2f|25|5c)/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The VMs whose guest says this of itself; hosts are not looked for. */
async function byGuest(call: Call, isMeant: (facts: GuestFacts) => boolean): Promise<VirtualMachine[]> {
  if (!argument<boolean>(call, 'vmSearch')) return [];
  const vms = await call.service.inventory.vmsOf(call.reading);
  const facts = await ofEach(vms, (vm) => call.reading.guest(vm));
  return vms.filter((_, at) => {
    const said = facts[at];
    return said !== null && said !== undefined && isMeant(said);
  });
}

/** The VM found, undefined for none; where it is one of several, nobody knows which is meant. */
function onlyOne(
  argumentName: string,
  what: string,
  found: readonly VirtualMachine[],
): VirtualMachine | undefined {
  if (found.length < 2) return found[0];
  throw invalidArgument(
    argumentName,
    `it is ${what} of ${found.length} VMs: ${found.map(({ name }) => name).join(', ')}`,
  );
}

function byAddress(call: Call): Promise<VirtualMachine[]> {
  const address = argument<string>(call, 'ip').trim().toLowerCase();
  return byGuest(call, (facts) => addressesOf(facts).some((one) => one.toLowerCase() === address));
}

/** As the guest calls itself. */
function byDnsName(call: Call): Promise<VirtualMachine[]> {
  const name = argument<string>(call, 'dnsName').trim().toLowerCase();
  return byGuest(call, ({ hostName }) => hostName?.toLowerCase() === name);
}

/** By `<type>.<method>`. */
export const SEARCH_METHODS: Handlers = {
  'SearchIndex.FindByUuid': {
    run: async (call) => {
      if (isHost(call)) return PLACES.host;
      return onlyOne('uuid', 'the UUID', visible(call, await byUuid(call)));
    },
  },
  'SearchIndex.FindAllByUuid': {
    run: async (call) => (isHost(call) ? [PLACES.host] : visible(call, await byUuid(call))),
  },
  'SearchIndex.FindByDatastorePath': {
    run: async (call) => {
      const { searchIndex } = call.service.facade.content;
      const datacenter = referenceArgument(call, 'datacenter') ?? PLACES.datacenter;
      return visible(call, [await searchIndex.FindByDatastorePath(datacenter, argument(call, 'path'))])[0];
    },
  },
  'SearchIndex.FindByInventoryPath': { run: byPath },
  'SearchIndex.FindChild': {
    run: async (call) => {
      const parent = await call.service.require(referenceArgument(call, 'entity'), call.session);
      return childOf(call, parent, decode(argument(call, 'name')), call.reading);
    },
  },
  // Guests say what they like: one that claims the name of another must not be read in its place.
  'SearchIndex.FindByDnsName': {
    run: async (call) => onlyOne('dnsName', 'the name', await byDnsName(call)),
  },
  'SearchIndex.FindByIp': { run: async (call) => onlyOne('ip', 'an address', await byAddress(call)) },
  'SearchIndex.FindAllByDnsName': { run: byDnsName },
  'SearchIndex.FindAllByIp': { run: byAddress },
};

const DEFAULT_PAGE = 10;
const MOST_PAGE = 1000;

/** A collector of what happened: a window over the list as it is now. */
class HistoryObject extends WireObject {
  pageSize = DEFAULT_PAGE;
  /** Number of those that were read. */
  at = 0;

  constructor(
    type: string,
    value: string,
    readonly all: () => readonly unknown[],
  ) {
    super(type, value, { latestPage: () => this.all().slice(-this.pageSize).reverse() });
  }

  next(count: number): readonly unknown[] {
    const page = this.all().slice(this.at, this.at + count);
    this.at += page.length;
    return page;
  }

  previous(count: number): readonly unknown[] {
    const from = Math.max(0, this.at - count);
    const page = this.all().slice(from, this.at);
    this.at = from;
    return page;
  }
}

function history(call: Call): HistoryObject {
  if (call.receiver instanceof HistoryObject) return call.receiver;
  throw invalidArgument('_this', `${call.receiver.value} is no collector of a history`);
}

function pageOf(call: Call): number {
  const count = argument<number>(call, 'maxCount');
  if (count >= 1 && count <= MOST_PAGE) return count;
  throw invalidArgument('maxCount', `maxCount is ${count}, expected 1 to ${MOST_PAGE}`);
}

/** By `<type>.<method>`. */
export const HISTORY_METHODS: Handlers = {
  'TaskManager.CreateCollectorForTasks': {
    run: ({ service, session }) => {
      const all = (): WireTaskInfo[] => service.tasks.infos(({ name }) => maySee(session.user, name));
      return session.keep((value) => new HistoryObject('TaskHistoryCollector', value, all));
    },
  },
  'EventManager.CreateCollectorForEvents': {
    run: ({ session }) =>
      session.keep((value) => new HistoryObject('EventHistoryCollector', value, () => [])),
  },
  'EventManager.QueryEvents': { run: () => [] },
  'PerformanceManager.QueryAvailablePerfMetric': { run: () => [] },
  'PerformanceManager.QueryPerf': { run: () => [] },
  'PerformanceManager.QueryPerfCounter': { run: () => [] },
  'PerformanceManager.QueryPerfProviderSummary': {
    run: (call) => ({
      entity: referenceArgument(call, 'entity'),
      currentSupported: false,
      summarySupported: false,
    }),
  },
  'HistoryCollector.SetCollectorPageSize': {
    run: (call) => {
      history(call).pageSize = pageOf(call);
    },
  },
  'HistoryCollector.RewindCollector': {
    run: (call) => {
      history(call).at = 0;
    },
  },
  'HistoryCollector.ResetCollector': {
    run: (call) => {
      history(call).at = history(call).all().length;
    },
  },
  'HistoryCollector.DestroyCollector': {
    run: ({ receiver, session }) => {
      session.objects.delete(receiver.value);
    },
  },
  'TaskHistoryCollector.ReadNextTasks': { run: (call) => history(call).next(pageOf(call)) },
  'TaskHistoryCollector.ReadPreviousTasks': { run: (call) => history(call).previous(pageOf(call)) },
  'EventHistoryCollector.ReadNextEvents': { run: (call) => history(call).next(pageOf(call)) },
  'EventHistoryCollector.ReadPreviousEvents': { run: (call) => history(call).previous(pageOf(call)) },
};
