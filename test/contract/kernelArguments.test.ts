/** What every kernel refuses, and when it looks at its arguments. */
import { describe, expect, it } from 'vitest';
import type { BitmapSegment, ClusterTables } from '../../lib/core/bitmapKernel.js';
import { MAX_DISK_BYTES } from '../../lib/core/rangePage.js';
import { calls, stored, tables, useScratchFile } from '../helpers/callsOnFile.js';
import { memory, NONE, refusedFor, window } from '../helpers/kernelCalls.js';
import { kernels } from '../helpers/kernels.js';

const NOT_A_BYTE_COUNT = [Number.NaN, -1, 0.5, 2 ** 53, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

useScratchFile();

const methods = Object.entries(calls).map(([method, call]) => ({ method, call }));

const pagers = methods.filter(({ method }) => method !== 'countBitmaps' && method !== 'paintRanges');

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
