/** Each caller's own signal and time, on what a question gave: readings of a map, pieces, bytes, and closing. */
import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { BoundedData } from '../../../lib/core/boundedData.js';
import type { CallOptions } from '../../../lib/core/callOptions.js';
import { ChangeMap } from '../../../lib/core/changeMap.js';
import { closing } from '../../../lib/core/closing.js';
import type { DiskData } from '../../../lib/core/diskData.js';
import { CbtError } from '../../../lib/core/errors.js';
import { onAbort } from '../../../lib/core/onAbort.js';
import type { RangePager } from '../../../lib/core/rangePage.js';
import { underBoth } from '../../../lib/core/underBoth.js';
import { withinEach } from '../../../lib/core/withinEach.js';
import { createVm } from '../../../lib/testing/index.js';
import { refusalOf } from '../../helpers/refusal.js';
import { tinyKernel } from '../../helpers/tinyKernel.js';

const FACTS = { disk: 'vda', sizeBytes: 51_200, granularityBytes: 512, from: 'a', to: null, warnings: [] };
const LATE = { code: 'ERR_CBT_TIMEOUT', details: { timeoutMs: 20 } };
const STOPPED = { code: 'ERR_CBT_ABORTED' };

/** What answers only when it is stopped. */
const silent = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => onAbort(signal, () => reject(new CbtError('ERR_CBT_ABORTED', 'stopped'))));
const silentPager: RangePager = { page: ({ signal }) => silent(signal) };
const silentMap = (signal?: AbortSignal): ChangeMap =>
  new ChangeMap(FACTS, silentPager, tinyKernel, { signal }, silentPager);

const readings: [string, (map: ChangeMap, options: CallOptions) => Promise<unknown>][] = [
  ['page', (map, options) => map.page(options)],
  ['ranges', (map, options) => map.ranges(options)],
  ['changedBytes', (map, options) => map.changedBytes(options)],
  ['bits', (map, options) => map.bits(512, options)],
  ['bitBatches', (map, options) => map.bitBatches(512, options).next()],
  ['batches', (map, options) => map.batches(options).next()],
  ['kinds', (map, options) => map.kinds(options).next()],
];

describe.each(readings)('ChangeMap.%s', (_, read) => {
  test('is late by its own time, and another reading is not', async () => {
    const map = silentMap();
    expect(await refusalOf(read(map, { timeoutMs: 20 }))).toMatchObject(LATE);
    const stop = new AbortController();
    const other = refusalOf(read(map, { signal: stop.signal, timeoutMs: 60_000 }));
    stop.abort();
    expect(await other).toMatchObject(STOPPED);
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  });

  test('is ended by the signal of its question too, also with one of its own', async () => {
    const question = new AbortController();
    const own = new AbortController();
    const map = silentMap(question.signal);
    const reading = refusalOf(read(map, { signal: own.signal }));
    question.abort();
    expect(await reading).toMatchObject(STOPPED);
    expect(await refusalOf(read(map, {}))).toMatchObject(STOPPED);
    for (const { signal } of [question, own]) expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('refuses what is no signal, no time and no option', async () => {
    const map = silentMap();
    for (const options of [{ signal: new AbortController() }, { timeoutMs: 0 }, { timeout: 5 }])
      expect(await refusalOf(read(map, options as object))).toMatchObject({
        code: 'ERR_CBT_INVALID_ARGUMENT',
      });
  });
});

describe('withinEach', () => {
  async function* slowly(options: CallOptions): AsyncGenerator<number, void, undefined> {
    yield 1;
    yield 2;
    await silent(options.signal);
  }

  test('each piece has the time; a reader who is slow loses nothing of it', async () => {
    const pieces = withinEach('it', { timeoutMs: 20 }, slowly);
    expect(await pieces.next()).toEqual({ done: false, value: 1 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await pieces.next()).toEqual({ done: false, value: 2 });
    expect(await refusalOf(pieces.next())).toMatchObject({
      ...LATE,
      message: 'each piece of it was given 20 ms, and they are over',
    });
  });

  test('whoever leaves early ends what was begun, and nothing listens', async () => {
    const { signal } = new AbortController();
    let ended = false;
    async function* endless(): AsyncGenerator<number, void, undefined> {
      try {
        for (;;) yield 1;
      } finally {
        ended = true;
      }
    }
    for await (const _ of withinEach('it', { timeoutMs: 60_000, signal }, endless)) break;
    expect([ended, getEventListeners(signal, 'abort').length]).toEqual([true, 0]);
  });
});

test('underBoth hands on the one signal that there is, or one that follows both', async () => {
  const [one, other] = [new AbortController(), new AbortController()];
  expect(await underBoth(one.signal, undefined, async (signal) => signal)).toBe(one.signal);
  expect(await underBoth(undefined, other.signal, async (signal) => signal)).toBe(other.signal);
  other.abort('enough');
  let begun = false;
  const work = async (): Promise<void> => {
    begun = true;
  };
  expect(await refusalOf(underBoth(one.signal, other.signal, work))).toMatchObject(STOPPED);
  expect(begun).toBe(false);
});

describe('closing', () => {
  test('goes on when its waiting ends, and its failure is nobody’s then', async () => {
    let finish: () => void = () => undefined;
    let closed = false;
    const close = (): Promise<void> =>
      new Promise<void>((resolve) => {
        finish = resolve;
      }).then(() => {
        closed = true;
      });
    expect(await refusalOf(closing('close', { timeoutMs: 20 }, close))).toMatchObject(LATE);
    const stop = new AbortController();
    stop.abort();
    expect(await refusalOf(closing('close', { signal: stop.signal }, close))).toMatchObject({
      ...STOPPED,
      message: 'cancelled by the caller: the close goes on',
    });
    expect(closed).toBe(false);
    finish();
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(true);
  });

  test('is not begun with options that are none', async () => {
    let begun = false;
    const close = async (): Promise<void> => {
      begun = true;
    };
    const odd = { signal: new AbortController() as unknown as AbortSignal };
    expect(await refusalOf(closing('close', odd, close))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
    expect(begun).toBe(false);
  });
});

describe('bytes', () => {
  const never = { info: { sizeBytes: 512, readOnly: false } } as unknown as DiskData;
  for (const name of [
    'read',
    'readRanges',
    'forEachPiece',
    'write',
    'writeRanges',
    'writeStream',
    'zero',
    'trim',
    'flush',
  ])
    Object.assign(never, {
      [name]: (...asked: unknown[]) => silent((asked.at(-1) as CallOptions | undefined)?.signal),
    });
  const data = new BoundedData(never);
  const ranges = Float64Array.of(0, 512);
  const calls: [string, (options: CallOptions) => Promise<unknown>][] = [
    ['read', (options) => data.read(0, 512, options)],
    ['readRanges', (options) => data.readRanges(ranges, { ...options, into: Buffer.alloc(512) })],
    ['forEachPiece', (options) => data.forEachPiece(ranges, async () => undefined, options)],
    ['write', (options) => data.write(0, Buffer.alloc(512), options)],
    ['writeRanges', (options) => data.writeRanges(ranges, Buffer.alloc(512), options)],
    ['writeStream', (options) => data.writeStream([], options)],
    ['zero', (options) => data.zero(ranges, options)],
    ['trim', (options) => data.trim(ranges, options)],
    ['flush', (options) => data.flush(options)],
  ];
  test.each(calls)('%s is late by its own time, and refuses what is no option', async (_, call) => {
    expect(await refusalOf(call({ timeoutMs: 20 }))).toMatchObject(LATE);
    for (const odd of [{ signals: 1 }, { timeoutMs: Number.NaN }])
      expect(await refusalOf(call(odd as object))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  });
});

test('questions to a disk refuse what is no option', async () => {
  const machine = await createVm({ disks: { vda: { sizeBytes: 1 << 20 } } });
  await using vm = await machine.connect();
  const disk = await vm.openDisk('vda');
  for (const ask of [
    (options: object) => disk.pits(options),
    (options: object) => disk.topLayer(options),
    (options: object) => disk.allocated(options),
    (options: object) => disk.changes({ from: '*', ...options }),
    (options: object) => disk.openData(options),
    (options: object) => disk.close(options),
  ])
    for (const odd of [{ sginal: 1 }, { signal: new AbortController() }, { timeoutMs: -1 }])
      expect(await refusalOf(ask(odd)), String(ask)).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
});

test('a map outlives the deadline of its question', async () => {
  const machine = await createVm({ disks: { vda: { sizeBytes: 1 << 20 } } });
  await using vm = await machine.connect();
  await vm.enable();
  const disk = await vm.openDisk('vda', { timeoutMs: 60_000 });
  const map = await disk.allocated({ timeoutMs: 2_000 });
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  expect(await map.ranges()).toHaveLength(0);
  await disk.close({ timeoutMs: 60_000 });
  await vm.close({ timeoutMs: 60_000 });
});
