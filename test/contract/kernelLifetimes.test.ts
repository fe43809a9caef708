/** Memory that goes away under a kernel’s call, and a signal that stops it. */
import { describe, expect, it } from 'vitest';
import type { RangePage, Window } from '../../lib/core/rangePage.js';
import { calls, file, stored, tables, useScratchFile } from '../helpers/callsOnFile.js';
import { COPIED, writeTables } from '../helpers/clusterTables.js';
import { type Call, memory, NONE, refusedFor, window } from '../helpers/kernelCalls.js';
import { kernels } from '../helpers/kernels.js';

const STYLE = { before: '<', between: '+', after: '>' };

useScratchFile();

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
    table[0] = await file().put(Uint8Array.of(1, ...new Uint8Array(511)));
    const clusters = kernel.scanBitmaps([stored({ table })], 512, window({ endBytes: 2 ** 31 }));
    destroy(table);
    expect((await clusters).ranges).toEqual(Float64Array.of(0, 512, 2 ** 21, 2 ** 31 - 2 ** 21));

    const { l1 } = await writeTables(file(), {
      clusterBits: 9,
      entries: new Array<bigint>(128).fill(COPIED | 512n),
    });
    const small = tables({ clusterBits: 9, l1, fileBytes: file().sizeBytes });
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
