/** What every kernel refuses, when it looks at its arguments, and how it is stopped. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BitmapKernel, BitmapSegment, ClusterTables } from '../../lib/core/bitmapKernel.js';
import { MAX_DISK_BYTES, type RangePage, type Window } from '../../lib/core/rangePage.js';
import { COPIED, writeTables } from '../helpers/clusterTables.js';
import { kernels } from '../helpers/kernels.js';
import { ScratchFile } from '../helpers/storedBits.js';

const ALL = Number.POSITIVE_INFINITY;
const NONE = new Float64Array(0);
const STYLE = { before: '<', between: '+', after: '>' };
const NOT_A_BYTE_COUNT = [Number.NaN, -1, 0.5, 2 ** 53, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

let file: ScratchFile;
beforeAll(async () => {
  file = await ScratchFile.make();
  await file.put(new Uint8Array(65536));
});
afterAll(() => file.remove());

const memory = (bytes: Uint8Array, granularityBytes = 512): BitmapSegment => ({
  granularityBytes,
  bits: { kind: 'memory', bytes },
});
const stored = (changes: object): BitmapSegment => ({
  granularityBytes: 512,
  bits: { kind: 'stored', fd: file.fd, clusterBytes: 512, table: NONE, ...changes },
});
const tables = (changes: Partial<ClusterTables> = {}): ClusterTables => ({
  fd: file.fd,
  clusterBits: 16,
  extendedL2: false,
  version: 3,
  externalData: false,
  l1: new Float64Array(64),
  fileBytes: file.sizeBytes,
  ...changes,
});

type Call = (kernel: BitmapKernel, window: Window) => Promise<unknown>;

/** Every method that takes a window, with arguments that are otherwise sound. */
const calls: Record<string, Call> = {
  scanBitmaps: (kernel, window) => kernel.scanBitmaps([memory(Uint8Array.of(5))], 512, window),
  countBitmaps: (kernel, window) => kernel.countBitmaps([memory(Uint8Array.of(5))], 512, window),
  paintRanges: (kernel, window) => kernel.paintRanges(Float64Array.of(512, 512), 512, window),
  scanClusters: (kernel, window) => kernel.scanClusters(tables(), 'data', window),
  scanFileData: (kernel, window) => kernel.scanFileData(file.fd, window),
  union: (kernel, window) => kernel.union(Float64Array.of(512, 512), NONE, window),
  intersect: (kernel, window) => kernel.intersect(Float64Array.of(512, 512), NONE, window),
  subtract: (kernel, window) => kernel.subtract(Float64Array.of(512, 512), NONE, window),
  clip: (kernel, window) => kernel.clip(Float64Array.of(512, 512), window),
  align: (kernel, window) => kernel.align(Float64Array.of(512, 512), 4096, window),
  split: (kernel, window) => kernel.split(Float64Array.of(512, 512), 4096, window),
};
const methods = Object.entries(calls).map(([method, call]) => ({ method, call }));
const pagers = methods.filter(({ method }) => method !== 'countBitmaps' && method !== 'paintRanges');

const window = (changes: Partial<Window> = {}): Window => ({
  startBytes: 0,
  endBytes: 65536,
  maxRanges: ALL,
  ...changes,
});

const refusedFor = (argument: string) => ({ code: 'ERR_CBT_INVALID_ARGUMENT', details: { argument } });

describe.each(kernels)('$label: refused arguments', ({ kernel }) => {
  /** The call may throw at once or later; either way it is a rejection here. */
  const outcome = async (call: () => Promise<unknown>): Promise<unknown> => call();

  describe.each(methods)('$method', ({ call }) => {
    it.each(NOT_A_BYTE_COUNT)('startBytes %s', async (startBytes) => {
      await expect(outcome(() => call(kernel, window({ startBytes })))).rejects.toMatchObject(
        refusedFor('startBytes'),
      );
    });

    it.each(NOT_A_BYTE_COUNT)('endBytes %s', async (endBytes) => {
      await expect(outcome(() => call(kernel, window({ endBytes })))).rejects.toMatchObject(
        refusedFor('endBytes'),
      );
    });

    it('a window that ends before it starts', async () => {
      const backwards = window({ startBytes: 1024, endBytes: 512 });
      await expect(outcome(() => call(kernel, backwards))).rejects.toMatchObject(refusedFor('startBytes'));
      await expect(outcome(() => call(kernel, backwards))).rejects.toThrow(/1024.*512/);
    });

    it('never throws before it returns a promise', async () => {
      const promise = call(kernel, window({ startBytes: Number.NaN }));
      await expect(promise).rejects.toMatchObject(refusedFor('startBytes'));
    });

    it('a signal that was aborted before the call', async () => {
      const signal = AbortSignal.abort(new Error('changed my mind'));
      await expect(outcome(() => call(kernel, window({ signal })))).rejects.toMatchObject({
        code: 'ERR_CBT_ABORTED',
        cause: expect.objectContaining({ message: 'changed my mind' }),
      });
    });

    it('nothing, with a signal that stays quiet', async () => {
      const { signal } = new AbortController();
      await expect(outcome(() => call(kernel, window({ signal })))).resolves.toBeDefined();
      await expect(outcome(() => call(kernel, { ...window(), signal: undefined }))).resolves.toBeDefined();
    });
  });

  describe.each(pagers)('$method', ({ call }) => {
    it.each([Number.NaN, 0, -1, 1.5, Number.NEGATIVE_INFINITY, 2 ** 53])(
      'maxRanges %s',
      async (maxRanges) => {
        await expect(outcome(() => call(kernel, window({ maxRanges })))).rejects.toMatchObject(
          refusedFor('maxRanges'),
        );
      },
    );

    it('nothing at the limits of a window', async () => {
      const largest = window({
        startBytes: MAX_DISK_BYTES,
        endBytes: MAX_DISK_BYTES,
        maxRanges: MAX_DISK_BYTES,
      });
      await expect(outcome(() => call(kernel, largest))).resolves.toMatchObject({
        nextBytes: MAX_DISK_BYTES,
      });
    });
  });

  it.each([Number.NaN, 0, 1, -512, 256, 511, 513, 768, 2 ** 32, Number.POSITIVE_INFINITY])(
    'granularity %s',
    async (bad) => {
      const ranges = Float64Array.of(0, 512);
      const refused = refusedFor('granularityBytes');
      await expect(kernel.scanBitmaps([], bad, window())).rejects.toMatchObject(refused);
      await expect(kernel.countBitmaps([], bad, window())).rejects.toMatchObject(refused);
      await expect(kernel.paintRanges(ranges, bad, window())).rejects.toMatchObject(refused);
      await expect(kernel.align(ranges, bad, window())).rejects.toMatchObject(refused);
      const segments = [memory(Uint8Array.of(1)), memory(Uint8Array.of(1), bad)];
      await expect(kernel.scanBitmaps(segments, 512, window())).rejects.toMatchObject(
        refusedFor('segments[1].granularityBytes'),
      );
    },
  );

  it.each([Number.NaN, 0, -1, 1.5, 2 ** 53, Number.POSITIVE_INFINITY])('maxBytes %s', async (maxBytes) => {
    await expect(kernel.split(NONE, maxBytes, window())).rejects.toMatchObject(refusedFor('maxBytes'));
  });

  it.each([
    ['an odd number of numbers', [0, 1, 2], ''],
    ['an offset that is no number', [Number.NaN, 1], '[0]'],
    ['a length that is no number', [0, 1, 5, Number.NaN], '[1]'],
    ['a negative offset', [-1, 2], '[0]'],
    ['a broken offset', [0.5, 1], '[0]'],
    ['a broken length', [1, 1.5], '[0]'],
    ['a length of zero', [0, 1, 5, 0], '[1]'],
    ['a negative length', [5, -1], '[0]'],
    ['an end past 2^53 - 1', [MAX_DISK_BYTES, 1], '[0]'],
    ['an infinite length', [0, Number.POSITIVE_INFINITY], '[0]'],
    ['ranges out of order', [0, 1, 9, 1, 5, 1], '[2]'],
    ['ranges that overlap', [0, 10, 5, 10], '[1]'],
    ['ranges that touch', [0, 10, 10, 10], '[1]'],
    ['a range twice', [3, 4, 3, 4], '[1]'],
  ])('ranges with %s', async (_, numbers, at) => {
    const bad = Float64Array.from(numbers);
    const good = Float64Array.of(0, 512);
    const w = window();
    for (const method of ['union', 'intersect', 'subtract'] as const) {
      await expect(kernel[method](bad, good, w)).rejects.toMatchObject(refusedFor(`a${at}`));
      await expect(kernel[method](good, bad, w)).rejects.toMatchObject(refusedFor(`b${at}`));
    }
    const refused = refusedFor(`ranges${at}`);
    await expect(kernel.clip(bad, w)).rejects.toMatchObject(refused);
    await expect(kernel.align(bad, 512, w)).rejects.toMatchObject(refused);
    await expect(kernel.split(bad, 512, w)).rejects.toMatchObject(refused);
    await expect(kernel.paintRanges(bad, 512, w)).rejects.toMatchObject(refused);
  });

  it('a window to paint that starts off the granularity', async () => {
    const promise = kernel.paintRanges(NONE, 4096, { startBytes: 512, endBytes: 8192 });
    await expect(promise).rejects.toMatchObject(refusedFor('startBytes'));
  });

  it('an answer of more bits than one array holds', async () => {
    const promise = kernel.paintRanges(NONE, 512, { startBytes: 0, endBytes: MAX_DISK_BYTES });
    await expect(promise).rejects.toMatchObject({ code: 'ERR_CBT_UNSUPPORTED' });
  });

  it('more than 65535 segments', async () => {
    const one = memory(Uint8Array.of(1));
    await expect(kernel.scanBitmaps(new Array(65536).fill(one), 512, window())).rejects.toMatchObject(
      refusedFor('segments'),
    );
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY])('descriptor %s', async (fd) => {
    await expect(kernel.scanBitmaps([stored({ fd })], 512, window())).rejects.toMatchObject(
      refusedFor('segments[0].bits.fd'),
    );
    await expect(kernel.scanClusters(tables({ fd }), 'data', window())).rejects.toMatchObject(
      refusedFor('tables.fd'),
    );
    await expect(kernel.scanFileData(fd, window())).rejects.toMatchObject(refusedFor('fd'));
    await expect(kernel.lockState(fd)).rejects.toMatchObject(refusedFor('fd'));
  });

  it('a descriptor that is not open', async () => {
    const fd = 2 ** 20;
    for (const call of [() => kernel.scanFileData(fd, window()), () => kernel.lockState(fd)]) {
      await expect(call()).rejects.toMatchObject({
        code: 'ERR_CBT_BACKEND_UNAVAILABLE',
        details: { errno: 'EBADF' },
      });
    }
  });

  it.each([0, 511, 513, 1000, -512, Number.NaN, 2 ** 42])('clusters of %s bytes', async (clusterBytes) => {
    const promise = kernel.scanBitmaps([stored({ clusterBytes })], 512, window());
    await expect(promise).rejects.toMatchObject(refusedFor('segments[0].bits.clusterBytes'));
  });

  it.each([
    ['clusterBits', { clusterBits: 8 }],
    ['clusterBits', { clusterBits: 22 }],
    ['clusterBits', { clusterBits: 9.5 }],
    ['clusterBits', { clusterBits: Number.NaN }],
    ['clusterBits', { clusterBits: 13, extendedL2: true }],
    ['version', { version: 1 }],
    ['version', { version: 4 }],
    ['version', { version: 2, extendedL2: true }],
    ['version', { version: 2, externalData: true }],
    ['fileBytes', { fileBytes: -1 }],
    ['fileBytes', { fileBytes: Number.NaN }],
    ['fileBytes', { fileBytes: 2 ** 53 }],
    ['l1', { l1: NONE }],
    ['l1', { l1: new Float32Array(4) }],
    ['l1[0]', { l1: Float64Array.of(Number.NaN) }],
    ['l1[0]', { l1: Float64Array.of(-65536) }],
    ['l1[0]', { l1: Float64Array.of(0.5) }],
  ])('tables.%s in %j', async (field, changes) => {
    const promise = kernel.scanClusters(tables(changes as Partial<ClusterTables>), 'data', window());
    await expect(promise).rejects.toMatchObject(refusedFor(`tables.${field}`));
  });

  it('an L1 table that ends before the window does, and only then', async () => {
    const perTable = 65536 * 8192;
    const w = (endBytes: number) => window({ startBytes: perTable, endBytes });
    const two = tables({ l1: new Float64Array(2) });
    await expect(kernel.scanClusters(two, 'data', w(2 * perTable))).resolves.toMatchObject({
      nextBytes: 2 * perTable,
    });
    await expect(kernel.scanClusters(two, 'data', w(2 * perTable + 1))).rejects.toMatchObject(
      refusedFor('tables.l1'),
    );
  });

  it('a class of clusters there is not', async () => {
    const promise = kernel.scanClusters(tables(), 'zero' as 'data', window());
    await expect(promise).rejects.toMatchObject(refusedFor('wanted'));
  });

  it('arrays of another type', async () => {
    const words = new Uint16Array(4) as unknown as Uint8Array;
    await expect(kernel.scanBitmaps([memory(words)], 512, window())).rejects.toMatchObject(
      refusedFor('segments[0].bits.bytes'),
    );
    const singles = Float32Array.of(0, 1) as unknown as Float64Array;
    await expect(kernel.scanBitmaps([stored({ table: singles })], 512, window())).rejects.toMatchObject(
      refusedFor('segments[0].bits.table'),
    );
    await expect(kernel.clip(singles, window())).rejects.toMatchObject(refusedFor('ranges'));
    await expect(kernel.union([0, 1] as unknown as Float64Array, NONE, window())).rejects.toMatchObject(
      refusedFor('a'),
    );
    const other = { granularityBytes: 512, bits: { kind: 'disc' } } as unknown as BitmapSegment;
    await expect(kernel.scanBitmaps([other], 512, window())).rejects.toMatchObject(
      refusedFor('segments[0].bits.kind'),
    );
  });
});

/** Moves the memory of a view elsewhere: the view is left detached, of length zero. */
function detach(view: ArrayBufferView): void {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
}

/** A view at the end of a buffer that has been made shorter since. */
function outgrown<T>(make: (buffer: ArrayBuffer) => T): T {
  const Resizable = ArrayBuffer as unknown as new (
    bytes: number,
    options: object,
  ) => ArrayBuffer & { resize(bytes: number): void };
  const buffer = new Resizable(1024, { maxByteLength: 1024 });
  const view = make(buffer);
  buffer.resize(64);
  return view;
}

describe.each(kernels)('$label: memory that goes away', ({ kernel }) => {
  const detachedBytes = new Uint8Array(64).fill(255);
  const detachedNumbers = Float64Array.of(0, 512);
  detach(detachedBytes);
  detach(detachedNumbers);

  it.each([
    ['detached', detachedBytes, detachedNumbers],
    [
      'outgrown',
      outgrown((buffer) => new Uint8Array(buffer, 512)),
      outgrown((buffer) => new Float64Array(buffer, 512)),
    ],
  ])('refuses views that are %s, which look empty', async (_, bytes, numbers) => {
    expect(bytes.length + numbers.length).toBe(0);
    await expect(kernel.scanBitmaps([memory(bytes)], 512, window())).rejects.toMatchObject(
      refusedFor('segments[0].bits.bytes'),
    );
    await expect(kernel.countBitmaps([stored({ table: numbers })], 512, window())).rejects.toMatchObject(
      refusedFor('segments[0].bits.table'),
    );
    await expect(kernel.scanClusters(tables({ l1: numbers }), 'data', window())).rejects.toMatchObject(
      refusedFor('tables.l1'),
    );
    await expect(kernel.paintRanges(numbers, 512, window())).rejects.toMatchObject(refusedFor('ranges'));
    await expect(kernel.formatRanges(numbers, STYLE)).rejects.toMatchObject(refusedFor('ranges'));
    await expect(kernel.clip(numbers, window())).rejects.toMatchObject(refusedFor('ranges'));
    await expect(kernel.align(numbers, 512, window())).rejects.toMatchObject(refusedFor('ranges'));
    await expect(kernel.split(numbers, 512, window())).rejects.toMatchObject(refusedFor('ranges'));
    await expect(kernel.union(NONE, numbers, window())).rejects.toMatchObject(refusedFor('b'));
    await expect(kernel.intersect(numbers, NONE, window())).rejects.toMatchObject(refusedFor('a'));
    await expect(kernel.subtract(NONE, numbers, window())).rejects.toMatchObject(refusedFor('b'));
  });

  it.each<[string, (view: Uint8Array | Float64Array) => unknown]>([
    ['overwritten', (view) => view.fill(0)],
    ['detached', detach],
  ])('answers from what was given when it is %s right after the call', async (_, destroy) => {
    const size = 1 << 20;
    for (const bytes of [new Uint8Array(size), Buffer.from(new ArrayBuffer(size))]) {
      bytes.fill(0x0f);
      const endBytes = size * 8 * 512;
      const bitmap = kernel.countBitmaps([memory(bytes)], 512, window({ endBytes }));
      destroy(bytes);
      expect(await bitmap).toBe(endBytes / 2);
    }

    // The first cluster has to be read before the others are looked at.
    const table = new Float64Array(1024).fill(1);
    table[0] = await file.put(Uint8Array.of(1, ...new Uint8Array(511)));
    const clusters = kernel.scanBitmaps([stored({ table })], 512, window({ endBytes: 2 ** 31 }));
    destroy(table);
    expect((await clusters).ranges).toEqual(Float64Array.of(0, 512, 2 ** 21, 2 ** 31 - 2 ** 21));

    const { l1 } = await writeTables(file, {
      clusterBits: 9,
      entries: new Array<bigint>(128).fill(COPIED | 512n),
    });
    const small = tables({ clusterBits: 9, l1, fileBytes: file.sizeBytes });
    const allocation = kernel.scanClusters(small, 'data', window({ endBytes: 65536 }));
    destroy(l1);
    expect((await allocation).ranges).toEqual(Float64Array.of(0, 65536));

    // Longer than a kernel works through without a rest.
    const far = 2 ** 30;
    const many = new Float64Array(300_000);
    for (let i = 0; i < many.length; i += 2) many.set([i * 1024, 512], i);
    const operations: ((ranges: Float64Array, w: Window) => Promise<RangePage>)[] = [
      (ranges, w) => kernel.union(ranges, NONE, w),
      (ranges, w) => kernel.union(NONE, ranges, w),
      (ranges, w) => kernel.intersect(ranges, Float64Array.of(0, far), w),
      (ranges, w) => kernel.subtract(ranges, NONE, w),
      (ranges, w) => kernel.clip(ranges, w),
      (ranges, w) => kernel.align(ranges, 512, w),
      (ranges, w) => kernel.split(ranges, 512, w),
    ];
    for (const operation of operations) {
      const ranges = many.slice();
      const answer = operation(ranges, window({ endBytes: far }));
      destroy(ranges);
      const bytes = Buffer.from((await answer).ranges.buffer);
      expect(bytes.equals(Buffer.from(many.buffer))).toBe(true);
    }
    const ranges = many.slice();
    const painted = kernel.paintRanges(ranges, 512, { startBytes: 0, endBytes: 300_000 * 1024 });
    destroy(ranges);
    const written = many.slice();
    const text = kernel.formatRanges(written, STYLE);
    destroy(written);
    expect(Buffer.from(await text).toString()).toMatch(/^<0\+512><2048\+512>.*<307197952\+512>$/);
    // A range every 2 KiB is the first of four bits.
    expect((await painted).every((byte) => byte === 0x11)).toBe(true);
  });

  it('answers with memory of its own', async () => {
    const ranges = Float64Array.of(0, 512);
    const page = await kernel.clip(ranges, window());
    page.ranges[0] = 7;
    expect(ranges[0]).toBe(0);
    expect((await kernel.clip(ranges, window())).ranges[0]).toBe(0);
  });
});

describe.each(kernels)('$label: a signal that is aborted after the call', ({ kernel }) => {
  const bytes = new Uint8Array(4 << 20);
  for (let i = 0; i < bytes.length; i += 16) bytes[i] = 1;
  const endBytes = bytes.length * 8 * 512;
  const numbers = new Float64Array(1 << 19);
  for (let i = 0; i < numbers.length; i += 2) {
    numbers[i] = i * 4096;
    numbers[i + 1] = 4096;
  }
  const long: Record<string, Call> = {
    scanBitmaps: (k, w) => k.scanBitmaps([memory(bytes)], 512, w),
    countBitmaps: (k, w) => k.countBitmaps([memory(bytes), memory(bytes, 1024)], 512, w),
    union: (k, w) => k.union(numbers, Float64Array.of(1, 2), w),
    align: (k, w) => k.align(numbers, 512, w),
    split: (k, w) => k.split(numbers, 512, w),
    paintRanges: (k, w) => k.paintRanges(numbers, 512, w),
    formatRanges: (k, w) => k.formatRanges(numbers, STYLE, w.signal),
  };

  it.each([...Object.entries(calls), ...Object.entries(long)])('ends %s', async (_, call) => {
    const controller = new AbortController();
    const promise = call(kernel, window({ endBytes, signal: controller.signal }));
    controller.abort(new Error('enough'));
    await expect(promise).rejects.toMatchObject({ code: 'ERR_CBT_ABORTED', cause: { message: 'enough' } });
  });

  it('says nothing to calls that are done or have a signal of their own', async () => {
    const controller = new AbortController();
    const done = await kernel.clip(Float64Array.of(1, 2), window({ signal: controller.signal }));
    const other = kernel.clip(Float64Array.of(1, 2), window({ signal: new AbortController().signal }));
    controller.abort();
    expect((await other).ranges).toEqual(done.ranges);
  });
});
