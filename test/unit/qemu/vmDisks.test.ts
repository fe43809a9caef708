import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nameDisks } from '../../../lib/backend/qemu/diskNames.js';
import { QmpClient } from '../../../lib/backend/qemu/qmp/qmpClient.js';
import type { UnnamedDisk } from '../../../lib/backend/qemu/vmDisk.js';
import { findDisk, listDisks } from '../../../lib/backend/qemu/vmDisks.js';
import { FakeQmpServer } from '../../helpers/fakeQmpServer.js';

interface FakeNode {
  'node-name': string;
  drv: string;
  children?: { child: string; 'node-name': string }[];
  [member: string]: unknown;
}

const block = (name: string, drv: string, more: object = {}): FakeNode => ({
  'node-name': name,
  drv,
  file: `/images/${name}`,
  ro: false,
  image: { filename: name, format: drv, 'virtual-size': 1 << 20 },
  ...more,
});
const device = (name: string, node: string): object => ({
  device: name,
  qdev: name,
  removable: false,
  inserted: { 'node-name': node, ro: false },
});
/** query-qmp-schema with these commands, each with these argument and result members. */
const schemaOf = (commands: Record<string, { args?: string[]; result?: string[] }>): object[] =>
  Object.entries(commands).flatMap(([name, { args = [], result = [] }]) => [
    { name, 'meta-type': 'command', 'arg-type': `${name}-a`, 'ret-type': `${name}-r` },
    {
      name: `${name}-a`,
      'meta-type': 'object',
      members: args.map((member) => ({ name: member, type: 'str' })),
    },
    {
      name: `${name}-r`,
      'meta-type': 'object',
      members: result.map((member) => ({ name: member, type: 'str' })),
    },
    { name: 'str', 'meta-type': 'builtin' },
  ]);
const NEW = schemaOf({ 'query-named-block-nodes': { args: ['flat'], result: ['children'] } });
const OLD = schemaOf({ 'query-named-block-nodes': { args: ['flat'] }, 'x-debug-query-block-graph': {} });

let server: FakeQmpServer;
let client: QmpClient;
const connect = async (replies: Record<string, unknown>): Promise<void> => {
  server.serve({ 'qom-get': 'scsi-hd', 'query-block': [], ...replies });
  client = await QmpClient.connect(server.path);
};
beforeEach(async () => {
  server = await FakeQmpServer.start();
});
afterEach(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
});

const coded = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('listDisks', () => {
  it('takes the edges from the nodes themselves where QEMU tells them (10.1 and newer)', async () => {
    await connect({
      'query-qmp-schema': NEW,
      'query-block': [device('d', 'thr')],
      'query-named-block-nodes': [
        block('thr', 'throttle', { children: [{ child: 'file', 'node-name': 'fmt' }] }),
        block('fmt', 'qcow2', {
          children: [
            { child: 'file', 'node-name': 'prot' },
            { child: 'backing', 'node-name': 'base' },
          ],
        }),
        block('prot', 'file', { children: [] }),
        block('base', 'raw', { ro: true, children: [] }),
      ],
    });
    expect(await listDisks(client)).toMatchObject([
      {
        id: 'd',
        trackable: true,
        formatNode: 'fmt',
        filtersAbove: ['thr'],
        files: ['/images/fmt', '/images/prot'],
        layers: [{ node: 'fmt' }, { node: 'base', readOnly: true }],
      },
    ]);
  });

  it('does not track a node that a migration has handed over', async () => {
    await connect({
      'query-qmp-schema': NEW,
      'query-block': [device('d', 'fmt')],
      'query-named-block-nodes': [block('fmt', 'qcow2', { active: false, children: [] })],
    });
    expect(await listDisks(client)).toMatchObject([
      { trackable: false, why: expect.stringContaining('inactive') },
    ]);
  });

  const graph = (...names: string[]) => ({
    nodes: names.map((name, id) => ({ id, type: 'block-driver', name })),
    edges: [] as object[],
  });

  it('reads again when the graph changed meanwhile, and believes only an unchanged one', async () => {
    let asked = 0;
    await connect({
      'query-qmp-schema': OLD,
      'query-named-block-nodes': [block('a', 'qcow2'), block('b', 'qcow2')],
      // The first reading sees b come.
      'x-debug-query-block-graph': () => graph(...(asked++ === 0 ? ['a'] : ['a', 'b'])),
    });
    expect((await listDisks(client)).map((disk) => disk.id)).toEqual(['a', 'b']);
    expect(asked).toBe(4);
  });

  it('calls a VM busy whose graph never holds still', async () => {
    let asked = 0;
    await connect({
      'query-qmp-schema': OLD,
      'query-named-block-nodes': [block('a', 'qcow2')],
      'x-debug-query-block-graph': () => graph('a', `b${asked++}`),
    });
    const error = await listDisks(client).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
    expect(asked).toBe(10);
  });

  it('does not take a node for real that only one of the answers has', async () => {
    await connect({
      'query-qmp-schema': OLD,
      'query-named-block-nodes': [block('a', 'qcow2')],
      'x-debug-query-block-graph': graph('a', 'ghost'),
    });
    await expect(listDisks(client)).rejects.toMatchObject({ reason: 'BUSY' });
  });

  it('refuses edges between things that are not there, and chains that go in circles', async () => {
    let answer: object = { ...graph('a'), edges: [{ parent: 0, child: 9, name: 'file', perm: [] }] };
    await connect({
      'query-qmp-schema': OLD,
      'query-named-block-nodes': () =>
        (answer as { nodes: { name: string }[] }).nodes.map((n) => block(n.name, 'throttle')),
      'x-debug-query-block-graph': () => answer,
      'query-block': [device('d', 'a')],
    });
    await expect(listDisks(client)).rejects.toThrow(coded('ERR_CBT_BACKEND_PROTOCOL', /edge 0 -> 9/));
    answer = {
      ...graph('a', 'b'),
      edges: [
        { parent: 0, child: 1, name: 'file', perm: [] },
        { parent: 1, child: 0, name: 'file', perm: [] },
      ],
    };
    await expect(listDisks(client)).rejects.toThrow(
      coded('ERR_CBT_BACKEND_PROTOCOL', /below a go on for more than/),
    );
  });

  it('refuses circles of backing files too', async () => {
    await connect({
      'query-qmp-schema': NEW,
      'query-named-block-nodes': [
        block('a', 'qcow2', { children: [{ child: 'backing', 'node-name': 'b' }] }),
        block('b', 'qcow2', { children: [{ child: 'backing', 'node-name': 'a' }] }),
      ],
      'query-block': [device('d', 'a')],
    });
    await expect(listDisks(client)).rejects.toThrow(coded('ERR_CBT_BACKEND_PROTOCOL', /go on for more than/));
  });

  it('says what is missing when QEMU cannot tell its graph', async () => {
    await connect({ 'query-qmp-schema': schemaOf({ 'query-named-block-nodes': { args: ['flat'] } }) });
    await expect(listDisks(client)).rejects.toThrow(
      coded('ERR_CBT_UNSUPPORTED', /lacks x-debug-query-block-graph/),
    );
  });

  it.each([
    [{ granularity: 1000 }, /granularity of bitmap x on node a is 1000, expected a power of two/],
    [{ granularity: 2 ** 40 }, /is 1099511627776/],
    [{ recording: 'yes' }, /dirty-bitmaps\.0\.recording/],
  ])('refuses a bitmap with %j', async (wrong, message) => {
    const bitmap = {
      name: 'x',
      count: 0,
      granularity: 65536,
      recording: true,
      busy: false,
      persistent: true,
    };
    await connect({
      'query-qmp-schema': NEW,
      'query-named-block-nodes': [
        block('a', 'qcow2', { children: [], 'dirty-bitmaps': [{ ...bitmap, ...wrong }] }),
      ],
    });
    await expect(listDisks(client)).rejects.toThrow(coded('ERR_CBT_BACKEND_PROTOCOL', message));
  });

  it('passes over bitmaps without a name, and reads `inconsistent`', async () => {
    const bitmap = { count: 0, granularity: 65536, recording: false, busy: true, persistent: true };
    await connect({
      'query-qmp-schema': NEW,
      'query-named-block-nodes': [
        block('a', 'qcow2', {
          children: [],
          'dirty-bitmaps': [bitmap, { ...bitmap, name: 'x', inconsistent: true }],
        }),
      ],
    });
    expect((await listDisks(client))[0]?.layers?.[0]?.bitmaps).toEqual([
      {
        name: 'x',
        granularityBytes: 65536,
        recording: false,
        inconsistent: true,
        persistent: true,
        busy: true,
        dirtyBytes: 0,
      },
    ]);
  });
});

describe('names', () => {
  /** Few names, so that kinds of names collide. */
  const word = fc.constantFrom(
    'a',
    'b',
    'c',
    '#block1',
    '/machine/peripheral/a',
    '/machine/peripheral-anon/device[0]',
  );
  const disk = fc.record(
    {
      deviceId: word,
      qdevPath: word,
      formatNode: word,
      filename: word,
      files: fc.array(word),
      trackable: fc.boolean(),
    },
    { requiredKeys: ['trackable', 'formatNode'] },
  );

  it('every id finds its own disk, however names collide', async () => {
    await connect({});
    await fc.assert(
      fc.asyncProperty(fc.array(disk, { minLength: 1, maxLength: 6 }), async (drafts) => {
        const named = nameDisks(
          drafts.map((draft) => ({ ...draft, filtersAbove: [] })) as unknown as UnnamedDisk[],
        );
        for (const one of named) {
          expect(await findDisk(named, one.id)).toBe(one);
        }
      }),
    );
  });

  it('a backend goes before a device, a device before a node, a node before a file', async () => {
    await connect({});
    const drafts = [
      { formatNode: 'n0', deviceId: 'x' },
      { formatNode: 'n1', qdevPath: 'x' },
      { formatNode: 'x' },
      { formatNode: 'n3', files: ['x'], filename: 'x' },
    ].map((draft) => ({ filtersAbove: [], trackable: true, ...draft })) as unknown as UnnamedDisk[];
    const named = nameDisks(drafts);
    expect(named.map((one) => one.id)).toEqual(['x', 'n1', 'disk#2', 'n3']);
    expect(await findDisk(named, 'x')).toBe(named[0]);
    expect(await findDisk(named.slice(1), 'x')).toBe(named[1]);
    expect(await findDisk(named.slice(2), 'x')).toBe(named[2]);
    expect(await findDisk(named.slice(3), 'x')).toBe(named[3]);
  });
});
