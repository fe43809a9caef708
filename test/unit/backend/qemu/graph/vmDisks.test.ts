import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nameDisks } from '../../../../../lib/backend/qemu/graph/diskNames.js';
import type { UnnamedDisk } from '../../../../../lib/backend/qemu/graph/vmDisk.js';
import { findAgain, findByNode, findDisk, listDisks } from '../../../../../lib/backend/qemu/graph/vmDisks.js';
import { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import { FakeQmpServer } from '../../../../helpers/fakeQmpServer.js';
import { OLD_EPOCH, segment } from '../../../../helpers/states.js';

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

  it('holds a disk whose point in time goes on in a node that a blockpull has let go of', async () => {
    const segments = (...infos: ReturnType<typeof segment>[]) => ({
      'dirty-bitmaps': infos.map(({ name }) => ({
        name,
        granularity: 65_536,
        count: 0,
        recording: true,
        busy: false,
        persistent: true,
      })),
    });
    const nodes = (backing: boolean, lower: object) => [
      block('fmt', 'qcow2', {
        children: backing ? [{ child: 'backing', 'node-name': 'base' }] : [],
        ...segments(segment(2)),
      }),
      block('base', 'qcow2', { ro: true, children: [], ...lower }),
    ];
    let now = nodes(true, segments(segment(2)));
    await connect({
      'query-qmp-schema': NEW,
      'query-block': [device('d', 'fmt')],
      'query-named-block-nodes': () => now,
    });
    const problems = async () =>
      (await listDisks(client)).flatMap(({ layers = [] }) => layers.map(({ problem }) => problem?.reason));
    expect(await problems()).toEqual([undefined, undefined]);
    now = nodes(false, segments(segment(2)));
    expect(await problems()).toEqual(['BUSY']);
    now = nodes(false, segments(segment(2, { epoch: OLD_EPOCH })));
    expect(await problems()).toEqual([undefined]);
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

  const named = (drafts: object[]) =>
    nameDisks(
      drafts.map((draft) => ({ filtersAbove: [], trackable: true, ...draft })) as unknown as UnnamedDisk[],
    );

  it('one word that names several disks, each in another way, is refused with the list of them', async () => {
    await connect({});
    const disks = named([
      { formatNode: 'n0', deviceId: 'x' },
      { formatNode: 'n1', qdevPath: 'x' },
      { formatNode: 'x' },
      { formatNode: 'n3', files: ['x'], filename: 'x' },
    ]);
    expect(disks.map((one) => one.id)).toEqual(['n0', 'n1', 'disk#2', 'n3']);
    for (let from = 0; from < 3; from += 1) {
      const left = disks.slice(from);
      const error = await findDisk(left, 'x').catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT', disk: 'x' });
      for (const { id } of left) expect((error as Error).message).toContain(id);
    }
    expect(await findDisk(disks.slice(3), 'x')).toBe(disks[3]);
  });

  it('a name that QEMU has goes before another form of a name', async () => {
    await connect({});
    const disks = named([
      { formatNode: 'n0', qdevPath: '/machine/unattached/vda' },
      { formatNode: 'vda' },
      { formatNode: 'n2', qdevPath: '/machine/peripheral/d/d.0/legacy[0]' },
      { formatNode: 'legacy[0]' },
    ]);
    expect(await findDisk(disks, 'vda')).toBe(disks[1]);
    expect(await findDisk(disks, 'legacy[0]')).toBe(disks[3]);
    expect(await findDisk(disks, 'd')).toBe(disks[2]);
    expect(await findDisk(disks, '/machine/peripheral/d')).toBe(disks[2]);
  });

  it('a node is looked for among nodes only, whatever else has its name', async () => {
    await connect({});
    const disks = named([
      { formatNode: 'a', deviceId: 'b', filename: '/1', files: ['/1'] },
      { formatNode: 'b', deviceId: 'a', filename: '/2', files: ['/2'] },
      { formatNode: 'c', deviceId: 'c', trackable: false },
      { formatNode: 'c', deviceId: 'd' },
    ]);
    expect(disks.map(({ id }) => id)).toEqual(['/1', '/2', 'disk#2', 'd']);
    expect(findByNode(disks, 'a')).toBe(disks[0]);
    expect(findByNode(disks, 'b')).toBe(disks[1]);
    // Two devices on one node are one image, tracked through one of them.
    expect(findByNode(disks, 'c')).toBe(disks[3]);
    for (const none of ['/1', 'disk#2', 'd', '']) expect(findByNode(disks, none)).toBeNull();
  });

  it('a disk that was met before is found as what it was, not by a name that another has taken since', async () => {
    await connect({});
    const [node] = named([{ formatNode: 'a', filename: '/1' }]);
    const plugged = named([
      { formatNode: 'n', deviceId: 'a', filename: '/2' },
      { formatNode: 'a', filename: '/1' },
    ]);
    expect(node!.id).toBe('a');
    expect(findAgain(plugged, node!)).toBe(plugged[1]);
    expect(findAgain(plugged.slice(0, 1), node!)).toBeNull();
    // A device stays the disk whatever node its image has by now; one with the same image behind another device is not it.
    const [device] = named([
      { formatNode: 'a', deviceId: 'd', qdevPath: '/machine/peripheral/v', filename: '/1' },
    ]);
    const later = named([
      { formatNode: 'a', deviceId: 'e', filename: '/1' },
      { formatNode: 'snap', deviceId: 'd', qdevPath: '/machine/peripheral/v/virtio-backend', filename: '/3' },
    ]);
    expect(findAgain(later, device!)).toBe(later[1]);
    expect(findAgain(later.slice(0, 1), device!)).toBeNull();
    // A number that QEMU gave a device may have gone to the next one.
    const [numbered] = named([{ formatNode: 'a', qdevPath: '/machine/peripheral-anon/device[0]' }]);
    expect(
      findAgain(named([{ formatNode: 'b', qdevPath: '/machine/peripheral-anon/device[0]' }]), numbered!),
    ).toBeNull();
    const [byFile] = named([{ formatNode: '#block1', filename: '/1', files: ['/1'] }]);
    expect(
      findAgain(named([{ formatNode: '#block9', filename: '/1', files: ['/1'] }]), byFile!),
    ).not.toBeNull();
  });
});
