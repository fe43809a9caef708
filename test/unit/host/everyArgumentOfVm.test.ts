/**
 * Whatever is wrong about what a caller passes to a VM, or to what it gives: it is refused, with the name of what is wrong, before anything is begun. A
 * new method has to be in the table.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as main from '../../../lib/index.js';
import { createVm } from '../../../lib/testing/index.js';
import { FakeQmpServer } from '../../helpers/fakeQmpServer.js';
import { methodsOf } from '../../helpers/methodsOf.js';
import { emptyObject, OPEN_DATA, type Row, refusals, takes, text } from '../../helpers/wrongArguments.js';

const { whole, flag, callback, nothing, anyObject, limit, anyIterable } = takes;
const UUID = '6f2b0d64-7d3a-4c0b-9a5f-0b3c5b1d2e3f';

let monitor: FakeQmpServer;
let live: main.Vm;
let vm: main.Vm;
let session: main.Session;
let disk: main.TrackedDisk;
let map: main.ChangeMap;
let data: main.DiskData;
let before: number[];

const RANGES = Float64Array.of(0, 65_536);
const names = nothing;
const START = { disks: names, pit: nothing, granularityBytes: nothing };
const QUIESCE = { kinds: { agentSocket: text, onFailure: nothing } };
const SCRATCH = { kinds: { folder: text, limitBytes: (v: unknown) => v === Infinity || whole(65_536)(v) } };
const BEGIN = {
  disks: names,
  pit: nothing,
  base: text,
  mode: nothing,
  quiesce: emptyObject,
  scratch: emptyObject,
  nbdSocket: text,
  detached: flag,
  allowUnwatchedScratch: flag,
  onlyLook: flag,
};
const SELECTION = {
  start: whole(0, 1 << 20),
  max: limit,
  onProgress: callback,
};
const READ = { chunkBytes: whole(1), queueBytes: whole(1) };
const WRITE = { forceUnitAccess: flag };
const ranges = [RANGES, nothing] as const;
const work = [async () => undefined, callback] as const;

const vmRows = (of: () => main.Vm): Record<string, () => Row> => ({
  facts: () => ({ call: (o) => of().facts(o) }),
  disks: () => ({ call: (o) => of().disks(o), kinds: { disks: names } }),
  openDisk: () => ({ call: (d, o) => of().openDisk(d, o), args: { disk: ['a', text] } }),
  enable: () => ({ call: (o) => of().enable(o), kinds: START }),
  reset: () => ({ call: (o) => of().reset(o), kinds: START }),
  disable: () => ({ call: (o) => of().disable(o), kinds: START }),
  forget: () => ({ call: (p, o) => of().forget(p, o), args: { point: [UUID, text] }, kinds: START }),
  undo: () => ({ call: (p, o) => of().undo(p, o), args: { pit: [UUID, nothing] }, kinds: START }),
  begin: () => ({ call: (o) => of().begin(o), kinds: BEGIN, inside: { quiesce: QUIESCE, scratch: SCRATCH } }),
  resume: () => ({ call: (p, o) => of().resume(p, o), args: { session: [UUID, nothing] } }),
  qmp: () => ({
    call: (c, a, o) => of().qmp(c, a, o),
    args: { command: ['query-status', text], args: [undefined, (v) => v === undefined || anyObject(v)] },
  }),
  close: () => ({ call: (o) => of().close(o) }),
});
const named = (kind: string, of: Record<string, () => Row>): [string, () => Row][] =>
  Object.entries(of).map(([name, row]) => [`${kind}.${name}`, row]);

const rows: Record<string, () => Row> = {
  ...Object.fromEntries(
    named(
      'Vm',
      vmRows(() => live),
    ),
  ),
  ...Object.fromEntries(
    named(
      'memory Vm',
      vmRows(() => vm),
    ),
  ),
  'Session.openDisk': () => ({ call: (d, o) => session.openDisk(d, o), args: { disk: ['a', text] } }),
  'Session.openData': () => ({
    call: (d, o) => session.openData(d, o),
    args: { disk: ['a', text] },
    kinds: OPEN_DATA,
  }),
  'Session.check': () => ({
    call: (d, o) => session.check(d, o),
    args: { disk: ['a', (v) => v === undefined || text(v)] },
  }),
  'Session.diff': () => ({
    call: (d, o) => session.diff(d, o),
    args: { disk: ['a', text] },
    options: { from: '*' },
    kinds: { from: text, resume: text, chunkBytes: (v) => whole(512, 32 << 20)(v), queueBytes: whole(512) },
  }),
  'Session.commit': () => ({ call: (o) => session.commit(o), kinds: { onProgress: callback } }),
  'Session.rollback': () => ({ call: (o) => session.rollback(o), kinds: { onProgress: callback } }),
  'TrackedDisk.topLayer': () => ({ call: (o) => disk.topLayer(o) }),
  'TrackedDisk.pits': () => ({ call: (o) => disk.pits(o), kinds: { count: flag } }),
  'TrackedDisk.changes': () => ({
    call: (o) => disk.changes(o),
    options: { from: '*' },
    kinds: { ...SELECTION, from: text, to: text, kinds: flag },
  }),
  'TrackedDisk.allocated': () => ({ call: (o) => disk.allocated(o), kinds: SELECTION }),
  'TrackedDisk.openData': () => ({ call: (o) => disk.openData(o), kinds: OPEN_DATA }),
  'TrackedDisk.close': () => ({ call: (o) => disk.close(o) }),
  'ChangeMap.page': () => ({ call: (o) => map.page(o) }),
  'ChangeMap.ranges': () => ({ call: (o) => map.ranges(o) }),
  'ChangeMap.batches': () => ({
    call: (o) => map.batches(o).next(),
    kinds: { maxRanges: (v) => v === Infinity || whole(1)(v) },
  }),
  'ChangeMap.kinds': () => ({ call: (o) => map.kinds(o).next() }),
  'ChangeMap.changedBytes': () => ({ call: (o) => map.changedBytes(o) }),
  'ChangeMap.bits': () => ({
    call: (g, o) => map.bits(g, o),
    args: { granularityBytes: [512, (v) => v === undefined] },
  }),
  'ChangeMap.bitBatches': () => ({
    call: (g, o) => map.bitBatches(g, o).next(),
    args: { granularityBytes: [512, (v) => v === undefined] },
  }),
  'DiskData.read': () => ({
    call: (f, n, o) => data.read(f, n, o),
    args: { offset: [0, whole(0, 1 << 20)], length: [1, whole(0, 1 << 20)] },
    kinds: READ,
  }),
  'DiskData.readRanges': () => ({
    call: (r, o) => data.readRanges(r, o),
    args: { ranges },
    kinds: { ...READ, into: nothing },
  }),
  'DiskData.forEachPiece': () => ({
    call: (r, f, o) => data.forEachPiece(r, f, o),
    args: { ranges, work },
    kinds: READ,
  }),
  'DiskData.stream': () => ({ call: (r, o) => data.stream(r, o).next(), args: { ranges }, kinds: READ }),
  'DiskData.write': () => ({
    call: (f, b, o) => data.write(f, b, o),
    args: { offset: [0, whole(0, 1 << 20)], data: [Buffer.alloc(512), nothing] },
    kinds: WRITE,
  }),
  'DiskData.writeRanges': () => ({
    call: (r, b, o) => data.writeRanges(r, b, o),
    args: { ranges, data: [Buffer.alloc(65_536), nothing] },
    kinds: WRITE,
  }),
  'DiskData.writeStream': () => ({
    call: (s, o) => data.writeStream(s, o),
    args: { source: [[], anyIterable] },
    kinds: { ...WRITE, ...READ },
  }),
  'DiskData.zero': () => ({
    call: (r, o) => data.zero(r, o),
    args: { ranges },
    kinds: { ...WRITE, keepAllocated: flag },
  }),
  'DiskData.trim': () => ({ call: (r, o) => data.trim(r, o), args: { ranges }, kinds: WRITE }),
  'DiskData.flush': () => ({ call: (o) => data.flush(o) }),
  'DiskData.close': () => ({ call: (o) => data.close(o) }),
};

/** They take none, are not for callers, or have tests of their own. */
const NO_ARGUMENTS = [
  ...['ChangeMap.start', 'DiskData.pager', 'TrackedDisk.onOneReading', 'TrackedDisk.openDataBy'],
  ...['TrackedDisk.loseWith', 'TrackedDisk.closeWith', 'Diff.stream'],
];

beforeAll(async () => {
  monitor = await FakeQmpServer.start();
  monitor.serve({ 'query-uuid': { UUID } });
  live = await main.connectVm(monitor.path);
  const machine = await createVm({ disks: { a: { sizeBytes: 1 << 20 } } });
  vm = await machine.connect();
  await vm.enable();
  session = await vm.begin();
  disk = await session.openDisk('a');
  map = await disk.changes({ from: '*', kinds: true });
  data = await session.openData('a');
  before = [monitor.connections, monitor.received];
});
afterAll(async () => {
  await live?.close();
  await monitor?.[Symbol.asyncDispose]();
});

test.each(Object.entries(rows))('%s', async (_, row) => {
  expect(await refusals(row())).toEqual([]);
});

test('nothing was begun', async () => {
  expect([monitor.connections, monitor.received]).toEqual(before);
  expect(await readdir(dirname(monitor.path))).toEqual([basename(monitor.path)]);
  await session.rollback();
});

test('the table has every method', () => {
  const of = { Vm: live, Session: session, TrackedDisk: disk, ChangeMap: map, DiskData: data };
  const methods = Object.entries({ ...of, Diff: session.diff('a', { from: '*' }) });
  const known = [...Object.keys(rows), ...NO_ARGUMENTS];
  expect(
    methods.flatMap(([kind, one]) => methodsOf(kind, one)).filter((name) => !known.includes(name)),
  ).toEqual([]);
});
