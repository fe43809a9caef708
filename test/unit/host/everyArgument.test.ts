/**
 * Whatever is wrong about what a caller passes, to any call of the package's main entry: it is refused, with the name of what is wrong, before
 * anything is begun. A new export, and a new method of what the calls give, has to be in the table.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mending } from '../../../lib/host/leftover.js';
import * as main from '../../../lib/index.js';
import { methodsOf } from '../../helpers/methodsOf.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';
import {
  emptyList,
  emptyObject,
  OPEN_DATA,
  type Row,
  refusals,
  refusalsInside,
  takes,
  text,
} from '../../helpers/wrongArguments.js';

const { whole, flag, callback, nothing, anyObject, limit, anyIterable } = takes;
const { connectVm, openVm, openDisk, openData, openExportMap, keepVm, createPool, Inventory } = main;
const RANGES = Float64Array.of(0, 65_536);

let folder: TemporaryFolder;
let inventory: main.Inventory;
let hostVm: main.HostVm;
let before: string[];

const socket = (): string => join(folder.path, 'nobody.sock');
const target = () => ({ kind: 'unix', path: socket() }) as const;
const image = (): string => join(folder.path, 'none.qcow2');

const UUID = '6f2b0d64-7d3a-4c0b-9a5f-0b3c5b1d2e3f';
const anyText = (value: unknown): boolean => typeof value === 'string' && (value === '' || text(value));
const bytes = whole(0, main.MAX_DISK_BYTES);
const CONNECT = {
  kernel: nothing,
  nbdSocket: text,
  scratchFolder: text,
  scratchPlaces: emptyList,
  logger: nothing,
};
const OPEN_VM = {
  ...CONNECT,
  address: text,
  images: (v: unknown) => emptyObject(v) || emptyList(v),
  format: nothing,
  trust: flag,
  name: text,
  uuid: nothing,
};
const OPEN_DISK = { format: nothing, trust: flag, kernel: nothing, nbdSocket: text, scratchFolder: text };
const SELECTION = { start: whole(0, 1 << 20), max: limit, onProgress: callback };
const ranges = [RANGES, nothing] as const;
const work = [async () => undefined, callback] as const;

const rows: Record<string, () => Row> = {
  connectVm: () => ({ call: connectVm, args: { address: [socket(), text] }, kinds: CONNECT }),
  openVm: () => ({ call: openVm, options: { address: socket() }, kinds: OPEN_VM }),
  openDisk: () => ({ call: openDisk, args: { disk: [image(), text] }, kinds: OPEN_DISK }),
  openData: () => ({ call: openData, args: { target: [target(), nothing] }, kinds: OPEN_DATA }),
  openExportMap: () => ({
    call: openExportMap,
    args: { target: [target(), nothing], bitmap: ['b', (v) => v === null || text(v)] },
    kinds: OPEN_DATA,
  }),
  pointId: () => ({ call: main.pointId, args: { text: [UUID, nothing] }, options: null }),
  changeId: () => ({ call: main.changeId, args: { text: ['*', nothing] }, options: null }),
  findVmLeftovers: () => ({
    call: main.findVmLeftovers,
    args: { address: [socket(), text] },
    kinds: { scratchFolder: text },
  }),
  findImageLeftovers: () => ({
    call: main.findImageLeftovers,
    args: { images: [[image()], emptyList] },
    kinds: { scratchFolder: text },
  }),
  keepVm: () => ({
    call: keepVm,
    options: { address: socket() },
    kinds: { ...OPEN_VM, as: text, onState: callback },
  }),
  createPool: () => ({
    call: createPool,
    options: { vms: {} },
    kinds: { vms: anyObject, limits: anyObject, onState: callback },
    inside: {
      limits: { kinds: { all: whole(1), group: whole(1), vm: whole(1) } },
      vms: { put: (one) => ({ a: one }), right: { address: socket() }, kinds: { ...OPEN_VM, group: text } },
    },
  }),
  Inventory: () => ({
    call: (o) => new Inventory(o),
    kinds: { file: text, env: anyObject, vms: emptyList, stateFolder: text },
    inside: {
      vms: {
        put: (one) => [one],
        right: { name: 'a', qmpSocket: socket() },
        kinds: {
          name: text,
          uuid: nothing,
          qmpSocket: text,
          libvirt: text,
          agentSocket: text,
          images: anyObject,
          disks: nothing,
          scratchFolder: text,
          allowUnwatchedScratch: flag,
          nbdSocket: text,
          keepPoints: whole(2, 10_000),
        },
      },
    },
  }),
  'ChangeMap.from': () => ({
    call: main.ChangeMap.from,
    args: { content: [RANGES, anyIterable], facts: [{ disk: 'a', sizeBytes: 1 << 20 }, nothing] },
    kinds: SELECTION,
  }),
  'Ranges.from': () => ({ call: main.Ranges.from, args: { ranges: [[], anyIterable] }, options: null }),
  'Ranges.totalBytes': () => ({ call: main.Ranges.totalBytes, args: { ranges }, options: null }),
  ...Object.fromEntries(
    (['union', 'intersect', 'subtract'] as const).map((name) => [
      `Ranges.${name}`,
      () => ({ call: main.Ranges[name], args: { a: ranges, b: ranges } }),
    ]),
  ),
  'Ranges.clip': () => ({ call: main.Ranges.clip, args: { ranges }, kinds: { start: bytes, end: bytes } }),
  'Ranges.align': () => ({
    call: main.Ranges.align,
    args: { ranges, granularityBytes: [512, nothing] },
    kinds: { sizeBytes: bytes },
  }),
  'Ranges.toBits': () => ({
    call: main.Ranges.toBits,
    args: { ranges },
    options: { granularityBytes: 512, sizeBytes: 1 << 20 },
    kinds: { sizeBytes: bytes, granularityBytes: nothing },
  }),
  'Ranges.fromBits': () => ({
    call: main.Ranges.fromBits,
    args: { bits: [new Uint8Array(256), nothing] },
    options: { granularityBytes: 512, sizeBytes: 1 << 20 },
    kinds: { sizeBytes: bytes, granularityBytes: nothing },
  }),
  'Inventory.vms': () => ({ call: (o) => inventory.vms(o) }),
  'Inventory.file': () => ({ call: (o) => inventory.file(o) }),
  'Inventory.scratchPlaces': () => ({ call: (o) => inventory.scratchPlaces(o) }),
  'Inventory.unserved': () => ({ call: (o) => inventory.unserved(o) }),
  'Inventory.reload': () => ({ call: (o) => inventory.reload(o) }),
  'Inventory.domainsOf': () => ({
    call: (u, o) => inventory.domainsOf(u, o),
    args: { uri: ['test:///default', anyText] },
  }),
  'Inventory.find': () => ({ call: (n, o) => inventory.find(n, o), args: { vm: ['a', text] } }),
  'Inventory.require': () => ({ call: (n, o) => inventory.require(n, o), args: { vm: ['a', text] } }),
  'Inventory.findDisk': () => ({ call: (n, o) => inventory.findDisk(n, o), args: { disk: ['a#b', text] } }),
  'Inventory.openDisk': () => ({
    call: (n, o) => inventory.openDisk(n, o),
    args: { disk: ['a#b', text] },
    kinds: OPEN_DISK,
  }),
  'Inventory.numbered': () => ({
    call: (n, v, o) => inventory.numbered(n, v, o),
    args: { number: ['vm-1', text], vms: [undefined, (v) => v === undefined || emptyList(v)] },
  }),
  'HostVm.id': () => ({ call: (o) => hostVm.id(o) }),
  'HostVm.uuid': () => ({ call: (o) => hostVm.uuid(o) }),
  'HostVm.connect': () => ({ call: (o) => hostVm.connect(o), kinds: CONNECT }),
  'HostVm.reach': () => ({ call: (o) => hostVm.reach(o), kinds: CONNECT }),
  'HostVm.openDisk': () => ({
    call: (d, o) => hostVm.openDisk(d, o),
    args: { disk: ['a', text] },
    kinds: OPEN_DISK,
  }),
  'HostVm.hold': () => ({
    call: (w, c, o) => hostVm.hold(w, c, o),
    args: { who: ['me', text], client: [undefined, (v) => v === undefined] },
  }),
  'HostVm.letGo': () => ({
    call: (w, c, o) => hostVm.letGo(w, c, o),
    args: { who: ['me', text], client: [undefined, (v) => v === undefined] },
  }),
  'HostVm.changing': () => ({
    call: (w, f, o) => hostVm.changing(w, f, o),
    args: { task: ['it', text], work },
  }),
  'VmKeeper.use': () => ({ call: (f, o) => keepVm({ address: socket() }).use(f, o), args: { work } }),
  'VmKeeper.close': () => ({ call: (o) => keepVm({ address: socket() }).close(o) }),
  'VmPool.use': () => ({
    call: (n, f, o) => createPool({ vms: { a: { address: socket() } } }).use(n, f, o),
    args: { name: ['a', nothing], work },
  }),
  'VmPool.recover': () => ({ call: (o) => createPool({ vms: {} }).recover(o) }),
  'VmPool.close': () => ({ call: (o) => createPool({ vms: {} }).close(o) }),
  'LeftoverMending.run': () => ({ call: (o) => mending('it', async () => undefined).run(o) }),
};

/** They take none, are not for callers, or have tests of their own. */
const NO_ARGUMENTS = [
  ...[
    'CbtError',
    'ChangeMap',
    'Diff',
    'TrackedDisk',
    'VmPool',
    'VmPool.states',
    'Diff.stream',
    'Inventory.passed',
  ],
  ...['HostVm.become', 'HostVm.holders', 'HostVm.identity', 'ChangeMap.start', 'DiskData.pager'],
  ...['TrackedDisk.onOneReading', 'TrackedDisk.openDataBy', 'TrackedDisk.loseWith', 'TrackedDisk.closeWith'],
];

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  inventory = new Inventory({
    vms: [{ name: 'a', qmpSocket: socket() }],
    stateFolder: join(folder.path, 'state'),
  });
  hostVm = await inventory.require('a');
  before = await readdir(folder.path, { recursive: true });
});
afterAll(async () => {
  await folder?.remove();
});

test.each(Object.entries(rows))('%s', async (_, row) => {
  expect(await refusals(row())).toEqual([]);
});

test.each([
  ['unix', { path: 'none.sock' }, { path: text, exportName: anyText }],
  ['tcp', { host: '127.0.0.1' }, { host: text, port: whole(1, 65_535), exportName: anyText }],
  ['uri', { uri: 'nbd+unix:///?socket=none.sock' }, { uri: text }],
  [
    'qemu-nbd',
    { file: '/none.qcow2' },
    {
      ...{ file: text, format: text, program: text, bitmaps: emptyList },
      ...{ trust: flag, withoutBacking: flag, readOnly: flag, allocationDepth: flag, shared: flag },
    },
  ],
] as const)('openData of %s', async (kind, right, kinds) => {
  const open = (one: object): unknown => openData({ kind, ...one } as main.DataTarget);
  expect(await refusalsInside(open, right, { ...kinds, kind: () => true, tls: nothing })).toEqual([]);
});

test('nothing was begun', async () => {
  expect(await readdir(folder.path, { recursive: true })).toEqual(before);
});

test('the table has every function, and every method of what they give', async () => {
  await using keeper = keepVm({ address: socket() });
  await using pool = createPool({ vms: {} });
  const methods = Object.entries({
    Inventory: inventory,
    HostVm: hostVm,
    VmPool: pool,
    VmKeeper: keeper,
  }).flatMap(([kind, object]) => methodsOf(kind, object));
  const functions = Object.entries(main).flatMap(([name, one]) => (typeof one === 'function' ? [name] : []));
  const known = [...Object.keys(rows), ...NO_ARGUMENTS];
  expect([...functions, ...methods].filter((name) => !known.includes(name))).toEqual([]);
});
