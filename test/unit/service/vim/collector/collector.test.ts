/** The property collector against a naive one: random graphs, filters and changes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Changes } from '../../../../../lib/service/vim/collector/changes.js';
import { type Asking, Collector } from '../../../../../lib/service/vim/collector/collector.js';
import { Filter } from '../../../../../lib/service/vim/collector/filter.js';
import { checkPath, readPath } from '../../../../../lib/service/vim/collector/paths.js';
import { type FilterSpec, select } from '../../../../../lib/service/vim/collector/select.js';
import { Reading } from '../../../../../lib/service/vim/reading.js';
import { WireObject } from '../../../../../lib/service/vim/wireObject.js';

const reading = () => new Reading(null, () => []);
const ref = (value: string) => ({ type: 'Folder', value });

/** Folders with names and children, all changeable. */
class Graph {
  readonly nodes = new Map<string, { name: string; children: string[] }>();
  readonly objects = new Map<string, WireObject>();

  add(value: string, name: string, children: string[] = []): void {
    this.nodes.set(value, { name, children });
    this.objects.set(
      value,
      new WireObject('Folder', value, {
        name: () => this.nodes.get(value)?.name,
        childEntity: () => this.nodes.get(value)?.children.map(ref) ?? [],
      }),
    );
  }

  remove(value: string): void {
    this.nodes.delete(value);
    this.objects.delete(value);
  }

  find = (reference: { value: string }) => Promise.resolve(this.objects.get(reference.value) ?? null);

  /** What can be reached, by hand. */
  reached(from: string): Set<string> {
    const seen = new Set<string>();
    const open = [from];
    for (const at of open) {
      if (seen.has(at) || !this.nodes.has(at)) continue;
      seen.add(at);
      open.push(...(this.nodes.get(at)?.children ?? []));
    }
    return seen;
  }
}

/** Down every folder, again and again, by the name of the traversal itself. */
const below: FilterSpec = {
  propSet: [{ type: 'Folder', pathSet: ['name'] }],
  objectSet: [
    {
      obj: ref('0'),
      selectSet: [
        {
          _type: 'TraversalSpec',
          name: 'down',
          type: 'Folder',
          path: 'childEntity',
          skip: false,
          selectSet: [{ _type: 'SelectionSpec', name: 'down' }],
        } as never,
      ],
    },
  ],
};

function asking(graph: Graph, changes = new Changes(), signal = new AbortController().signal): Asking {
  return { find: graph.find, reading, changes, signal };
}

const edges = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 20 });

describe('selection', () => {
  test('reports each object that can be reached once, in graphs of any shape', async () => {
    await fc.assert(
      fc.asyncProperty(edges, async (pairs) => {
        const graph = new Graph();
        for (let i = 0; i < 8; i += 1)
          graph.add(
            String(i),
            `n${i}`,
            pairs.filter(([a]) => a === i).map(([, b]) => String(b)),
          );
        const found = await select(below, graph.find, reading());
        const values = found.map(({ object }) => object.value);
        expect(new Set(values)).toEqual(graph.reached('0'));
        expect(values.length).toBe(new Set(values).size);
      }),
    );
  });

  test('leaves out what is skipped and what no row wants, and takes rows of base types', async () => {
    const graph = new Graph();
    graph.add('0', 'root', ['1']);
    graph.add('1', 'one');
    const spec = structuredClone(below);
    spec.objectSet[0]!.skip = true;
    spec.propSet = [
      { type: 'VirtualMachine', pathSet: ['config'] },
      { type: 'ManagedEntity', pathSet: ['name'] },
      { type: 'Folder', all: true, pathSet: [] },
    ];
    expect(
      (await select(spec, graph.find, reading())).map(({ object, paths }) => [object.value, paths]),
    ).toEqual([['1', ['name', 'childEntity']]]);
    spec.propSet = [{ type: 'NotHere', pathSet: ['x'] }];
    expect(await select(spec, graph.find, reading())).toEqual([]);
    spec.objectSet[0]!.obj = ref('9');
    await expect(select(spec, graph.find, reading())).rejects.toMatchObject({
      _type: 'ManagedObjectNotFound',
    });
  });
});

describe('paths', () => {
  const vm = new WireObject('VirtualMachine', 'vm-1', {
    config: () => ({
      hardware: { numCPU: 2, device: [{ _type: 'VirtualDisk', key: 2000, capacityInKB: 64 }] },
    }),
    resourcePool: () => ({ type: 'ResourcePool', value: 'p' }),
  });
  test.each([
    ['config.hardware.numCPU', 2, 'int'],
    ['config.hardware.device[2000].capacityInKB', 64, 'long'],
    ['config.annotation', null, null],
    ['config.hardware.device[1]', null, null],
    ['resourcePool.name', null, null],
    ['guest.ipAddress', null, null],
  ])('%s', async (path, value, type) => {
    if (path === 'resourcePool.name')
      return expect(() => checkPath('VirtualMachine', 'resourcePool.nonsense')).toThrow('no property');
    const found = await readPath(vm, path, reading());
    return expect([found?.value ?? null, found?.type ?? null]).toEqual([value, type]);
  });
  test.each([
    '',
    '.',
    'config.',
    'config..name',
    'configs',
    'config.hardware.cpus',
    'a'.repeat(2000),
    'config[',
    '__proto__',
    'constructor',
  ])('%j is none', async (path) => {
    await expect(readPath(vm, path, reading())).rejects.toMatchObject({ _type: 'InvalidProperty' });
  });
});

describe('a watched filter', () => {
  /** What a client knows that applies updates to what it knew. */
  const apply = (
    known: Map<string, string | undefined>,
    set: Awaited<ReturnType<Collector['check']>>,
  ): void => {
    for (const { objectSet } of set?.filterSet ?? [])
      for (const { kind, obj, changeSet } of objectSet) {
        if (kind === 'leave') known.delete(obj.value);
        else if (kind === 'enter') known.set(obj.value, undefined);
        for (const { op, val } of changeSet)
          known.set(obj.value, op === 'assign' ? String(val?.value) : undefined);
      }
  };

  const step = fc.oneof(
    fc.record({
      do: fc.constant('name' as const),
      at: fc.nat(5),
      name: fc.constantFrom('a', 'b', undefined),
    }),
    fc.record({ do: fc.constant('link' as const), at: fc.nat(5), to: fc.nat(5) }),
    fc.record({ do: fc.constant('cut' as const), at: fc.nat(5) }),
    fc.record({
      do: fc.constant('ask' as const),
      lost: fc.boolean(),
      most: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    }),
  );

  test('tells every client what it would see by looking, also after answers that got lost and in parts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const graph = new Graph();
        for (let i = 0; i < 6; i += 1) graph.add(String(i), `n${i}`);
        const collector = new Collector();
        collector.add({ type: 'PropertyFilter', value: 'f' }, new Filter(below, false));
        const known = new Map<string, string | undefined>();
        let version: string | undefined;
        const ask = async (most?: number, lost = false): Promise<boolean> => {
          const set = await collector.check(version, asking(graph), most);
          if (set === null || lost) return false;
          apply(known, set);
          version = set.version;
          return set.truncated === true;
        };
        for (const one of steps) {
          const node = 'at' in one ? graph.nodes.get(String(one.at)) : undefined;
          if (one.do === 'name' && node !== undefined) node.name = one.name as string;
          else if (one.do === 'link') node?.children.push(String(one.to));
          else if (one.do === 'cut') node?.children.splice(0);
          else if (one.do === 'ask') await ask(one.most, one.lost);
        }
        while (await ask()) {
          // The rest of an answer in parts.
        }
        await ask();
        const wanted = [...graph.reached('0')].map((value) => [value, graph.nodes.get(value)?.name] as const);
        expect(new Map(known)).toEqual(new Map(wanted));
      }),
    );
  });

  test('waits until something changes, for as long as it may, and ends when it is cancelled', async () => {
    const graph = new Graph();
    graph.add('0', 'root');
    const collector = new Collector();
    const changes = new Changes();
    collector.add({ type: 'PropertyFilter', value: 'f' }, new Filter(below, false));
    const first = await collector.wait('', {}, asking(graph, changes));
    expect(first?.filterSet[0]?.objectSet[0]?.kind).toBe('enter');
    const { version } = first!;
    expect(await collector.wait(version, { maxWaitSeconds: 0 }, asking(graph, changes))).toBeNull();
    const waiting = [1, 2].map(() => collector.wait(version, {}, asking(graph, changes)));
    graph.nodes.get('0')!.name = 'other';
    changes.tell();
    const told = await Promise.all(waiting);
    expect(told.map((set) => set?.filterSet[0]?.objectSet[0]?.kind)).toEqual(['modify', 'modify']);
    // The same again: an answer may get lost.
    expect(
      (await collector.check(version, asking(graph)))?.filterSet[0]?.objectSet[0]?.changeSet[0]?.val?.value,
    ).toBe('other');
    const cancelled = collector.wait(told[0]!.version, {}, asking(graph, changes));
    collector.cancelWaits();
    await expect(cancelled).rejects.toMatchObject({ _type: 'RequestCanceled' });
    const gone = new AbortController();
    const left = collector.wait(told[0]!.version, {}, asking(graph, changes, gone.signal));
    gone.abort();
    await expect(left).rejects.toMatchObject({ _type: 'RequestCanceled' });
    await expect(collector.check('99', asking(graph))).rejects.toMatchObject({
      _type: 'InvalidCollectorVersion',
    });
  });
});

test('pages come one after the other, each once', async () => {
  const graph = new Graph();
  graph.add('0', 'root', ['1', '2', '3', '4']);
  for (const value of ['1', '2', '3', '4']) graph.add(value, value);
  const collector = new Collector();
  const first = await collector.retrieve([below], 2, asking(graph));
  const second = collector.continue(first.token!);
  expect(() => collector.continue(first.token!)).toThrow('nothing is kept');
  const third = collector.continue(second.token!);
  expect([first, second, third].map(({ objects }) => objects.map(({ obj }) => obj.value))).toEqual([
    ['0', '1'],
    ['2', '3'],
    ['4'],
  ]);
  expect(third.token).toBeUndefined();
  const again = await collector.retrieve([below], 2, asking(graph));
  collector.cancel(again.token!);
  expect(() => collector.continue(again.token!)).toThrow(
    expect.objectContaining({ _type: 'InvalidArgument' }),
  );
});
