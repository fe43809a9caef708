/** The native kernel against its twin on megabytes of bits and lists of many ranges, at every density. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BitmapSegment } from '../../../lib/core/bitmapKernel.js';
import type { RangePage, Window } from '../../../lib/core/rangePage.js';
import { pseudoRandom } from '../../helpers/bitmapArbitraries.js';
import { nativeKernels, scriptKernel } from '../../helpers/kernels.js';
import { ScratchFile, storeBits } from '../../helpers/storedBits.js';

let file: ScratchFile;
beforeAll(async () => {
  file = await ScratchFile.make();
});
afterAll(() => file.remove());

const MOST_BYTES = 2 << 20;
const CLUSTER = 65536;

/** Bytes of noise: each bit set with a chance of 2^-power, or all but as many. */
function noise(length: number, power: number, inverted: boolean, random: () => number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i += 1) {
    let word = 0xffffffff;
    for (let n = 0; n < power && word !== 0; n += 1) word &= random() * 2 ** 32;
    words[i] = inverted ? ~word : word;
  }
  return new Uint8Array(words.buffer).subarray(0, length);
}

/** Bytes in runs of one value, up to `longest` bytes each; the value of a run may be a mix of bits. */
function runs(length: number, longest: number, random: () => number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const end = at + 1 + Math.floor(random() * longest);
    bytes.fill([0, 0xff, 0, 0xff, Math.floor(random() * 256)][Math.floor(random() * 5)]!, at, end);
    at = end;
  }
  return bytes;
}

const bytes = fc
  .record({
    length: fc.oneof(
      fc.integer({ min: 0, max: MOST_BYTES }),
      fc.constantFrom(CLUSTER - 1, CLUSTER, CLUSTER + 1, MOST_BYTES),
    ),
    // From every other bit to one in a million, and the inverse.
    power: fc.integer({ min: 1, max: 20 }),
    inverted: fc.boolean(),
    longestRun: fc.option(fc.constantFrom(3, 40, 5000, 300000)),
    seed: fc.integer(),
  })
  .map(({ length, power, inverted, longestRun, seed }) => {
    const random = pseudoRandom(seed);
    return longestRun === null ? noise(length, power, inverted, random) : runs(length, longestRun, random);
  });

const bitmap = fc.record({
  bytes,
  granularityBytes: fc.constantFrom(512, 512, 1024, 4096, 32768, 65536, 2 ** 21, 2 ** 31),
  stored: fc.boolean(),
  /** Memory that starts off the grid of words. */
  shift: fc.constantFrom(0, 1, 4, 8, 13),
});

async function segmentOf(drawn: {
  bytes: Uint8Array;
  granularityBytes: number;
  stored: boolean;
  shift: number;
}): Promise<BitmapSegment> {
  const { granularityBytes, stored, shift } = drawn;
  if (stored) return { granularityBytes, bits: await storeBits(file, drawn.bytes, CLUSTER) };
  const shifted = new Uint8Array(drawn.bytes.length + shift + 5).subarray(shift, shift + drawn.bytes.length);
  shifted.set(drawn.bytes);
  return { granularityBytes, bits: { kind: 'memory', bytes: shifted } };
}

const windowOf = (sizeBytes: number): fc.Arbitrary<Window> => {
  const edge = fc.oneof(
    fc.constantFrom(0, sizeBytes),
    fc.double({ min: 0, max: 1, noNaN: true }).map((part) => Math.floor(part * sizeBytes)),
  );
  const maxRanges = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 100000 }));
  return fc
    .tuple(edge, edge, maxRanges)
    .map(([a, b, cap]) => ({ startBytes: Math.min(a, b), endBytes: Math.max(a, b), maxRanges: cap }));
};

/** A comparison that stays quick with a million ranges. */
function same(native: RangePage, script: RangePage): void {
  expect({ ...native, ranges: native.ranges.length }).toEqual({ ...script, ranges: script.ranges.length });
  for (let i = 0; i < script.ranges.length; i += 1) {
    if (native.ranges[i] !== script.ranges[i]) expect([i, native.ranges[i]]).toEqual([i, script.ranges[i]]);
  }
}

/** Up to 50000 ranges; lengths and gaps small or wide. */
const ranges = fc
  .record({
    count: fc.integer({ min: 0, max: 50000 }),
    widest: fc.constantFrom(3, 700, 70000),
    from: fc.constantFrom(0, 511, 2 ** 40),
    seed: fc.integer(),
  })
  .map(({ count, widest, from, seed }) => {
    const random = pseudoRandom(seed);
    const list = new Float64Array(count * 2);
    let at = from;
    for (let i = 0; i < list.length; i += 2) {
      at += 1 + Math.floor(random() * widest);
      list[i] = at;
      list[i + 1] = 1 + Math.floor(random() * widest);
      at += list[i + 1]!;
    }
    return list;
  });

describe.each(nativeKernels)('$label agrees with script', ({ kernel }) => {
  it('on bitmaps', async () => {
    const drawn = fc
      .tuple(fc.array(bitmap, { minLength: 1, maxLength: 3 }), fc.constantFrom(512, 512, 65536))
      .chain(([bitmaps, granularityBytes]) => {
        const reach = Math.max(...bitmaps.map((one) => one.bytes.length * 8 * one.granularityBytes));
        return fc.record({
          bitmaps: fc.constant(bitmaps),
          granularityBytes: fc.constant(granularityBytes),
          window: windowOf(Math.min(reach + 1000, 2 ** 53 - 1)),
        });
      });
    await fc.assert(
      fc.asyncProperty(drawn, async ({ bitmaps, granularityBytes, window }) => {
        const segments = await Promise.all(bitmaps.map(segmentOf));
        same(
          await kernel.scanBitmaps(segments, granularityBytes, window),
          await scriptKernel.scanBitmaps(segments, granularityBytes, window),
        );
        const { startBytes, endBytes } = window;
        const count = await scriptKernel.countBitmaps(segments, granularityBytes, { startBytes, endBytes });
        expect(await kernel.countBitmaps(segments, granularityBytes, { startBytes, endBytes })).toBe(count);
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });

  it('on lists of ranges', async () => {
    const drawn = fc.tuple(ranges, ranges).chain(([a, b]) => {
      const end = Math.max(1000, ...[a, b].map((list) => (list.at(-2) ?? 0) + (list.at(-1) ?? 0) + 1));
      return fc.record({
        a: fc.constant(a),
        b: fc.constant(b),
        window: windowOf(end),
        granularityBytes: fc.constantFrom(512, 4096, 65536),
        maxBytes: fc.integer({ min: 50, max: 10000 }),
      });
    });
    await fc.assert(
      fc.asyncProperty(drawn, async ({ a, b, window, granularityBytes, maxBytes }) => {
        for (const operation of ['union', 'intersect', 'subtract'] as const) {
          same(await kernel[operation](a, b, window), await scriptKernel[operation](a, b, window));
        }
        same(await kernel.clip(a, window), await scriptKernel.clip(a, window));
        same(
          await kernel.align(a, granularityBytes, window),
          await scriptKernel.align(a, granularityBytes, window),
        );
        const split = { ...window, maxRanges: Math.min(window.maxRanges, 300000) };
        same(await kernel.split(a, maxBytes, split), await scriptKernel.split(a, maxBytes, split));

        const startBytes = Math.floor((a[0] ?? 0) / granularityBytes) * granularityBytes;
        const painted = { startBytes, endBytes: Math.max(startBytes, window.endBytes) };
        if (painted.endBytes - startBytes > 2 ** 36) return;
        const bits = await kernel.paintRanges(a, granularityBytes, painted);
        const expected = await scriptKernel.paintRanges(a, granularityBytes, painted);
        expect(Buffer.compare(bits, expected)).toBe(0);
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });
});
