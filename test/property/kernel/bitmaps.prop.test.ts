/** Bitmaps of any shape against a disk with an array element per byte. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BitmapSegment } from '../../../lib/core/bitmapKernel.js';
import { bitPattern, nearMultiple, windowOf } from '../../helpers/bitmapArbitraries.js';
import { kernels } from '../../helpers/kernels.js';
import { allPages, Shadow, shadowOfBits } from '../../helpers/shadow.js';
import { ScratchFile, storeBits } from '../../helpers/storedBits.js';

let file: ScratchFile;
beforeAll(async () => {
  file = await ScratchFile.make();
});
afterAll(() => file.remove());

interface Bitmap {
  granularityBytes: number;
  bits: Uint8Array;
  /** Bytes of a cluster in a file; 0 for memory. */
  clusterBytes: number;
}

/** Bits of a disk: now and then fewer than it has granules, or more. */
const bitmapOf = (sizeBytes: number): fc.Arbitrary<Bitmap> =>
  fc
    .tuple(
      fc.constantFrom(512, 1024, 4096, 8192, 65536),
      fc.constantFrom(0, 0, 512, 1536),
      fc.integer({ min: -20, max: 20 }),
    )
    .chain(([granularityBytes, clusterBytes, more]) => {
      const granules = Math.ceil(sizeBytes / granularityBytes);
      const count = Math.max(0, Math.abs(more) > 15 ? granules + more : granules);
      return bitPattern(count).map((bits) => ({ granularityBytes, bits, clusterBytes }));
    });

/** Mostly a few words of granules; now and then a cluster of them. */
const size = fc.oneof(
  { weight: 12, arbitrary: nearMultiple([512, 8 * 512, 32 * 512, 64 * 512, 128 * 512], 200 * 512) },
  { weight: 1, arbitrary: nearMultiple([4096 * 512], 4096 * 512) },
);

const disk = size.chain((sizeBytes) =>
  fc.record({
    sizeBytes: fc.constant(sizeBytes),
    bitmaps: fc.array(bitmapOf(sizeBytes), { maxLength: 3 }),
    granularityBytes: fc.constantFrom(512, 512, 4096, 65536),
    window: windowOf(sizeBytes),
  }),
);

async function segmentOf({ granularityBytes, bits, clusterBytes }: Bitmap): Promise<BitmapSegment> {
  if (clusterBytes === 0) return { granularityBytes, bits: { kind: 'memory', bytes: bits } };
  return { granularityBytes, bits: await storeBits(file, bits, clusterBytes) };
}

/** What the bitmaps say, widened; as large as whole granules make it, for bits past the disk's end count in the last. */
function shadowOf(sizeBytes: number, bitmaps: readonly Bitmap[], granularityBytes: number): Shadow {
  const coarse = Math.max(granularityBytes, ...bitmaps.map((bitmap) => bitmap.granularityBytes));
  const whole = Math.ceil(sizeBytes / coarse) * coarse;
  return bitmaps
    .map((bitmap) => shadowOfBits(whole, bitmap.bits, bitmap.granularityBytes))
    .reduce((a, b) => a.with(b, (inA, inB) => inA || inB), new Shadow(whole))
    .widened(coarse);
}

describe.each(kernels)('$label: bitmaps', ({ kernel }) => {
  it('says of every byte what the bits say', async () => {
    await fc.assert(
      fc.asyncProperty(disk, async ({ sizeBytes, bitmaps, granularityBytes, window }) => {
        const segments = await Promise.all(bitmaps.map(segmentOf));
        const shadow = shadowOf(sizeBytes, bitmaps, granularityBytes);
        const page = await kernel.scanBitmaps(segments, granularityBytes, window);
        expect(page).toEqual(shadow.page(window));

        const { startBytes, endBytes } = window;
        const bytes = await kernel.countBitmaps(segments, granularityBytes, { startBytes, endBytes });
        expect(bytes).toBe(shadow.count(startBytes, endBytes));

        const all = { ...window, maxRanges: Number.POSITIVE_INFINITY };
        const paged = await allPages((w) => kernel.scanBitmaps(segments, granularityBytes, w), window);
        expect(paged.page).toEqual(shadow.page(all));
      }),
      { numRuns: 150 },
    );
  });

  it('paints the bits that it scanned', async () => {
    await fc.assert(
      fc.asyncProperty(
        disk,
        fc.constantFrom(512, 4096, 65536),
        async ({ sizeBytes, bitmaps }, granularityBytes) => {
          const segments = await Promise.all(bitmaps.map(segmentOf));
          const window = { startBytes: 0, endBytes: sizeBytes, maxRanges: Number.POSITIVE_INFINITY };
          const { ranges } = await kernel.scanBitmaps(segments, 512, window);
          const shadow = shadowOf(sizeBytes, bitmaps, 512);
          const bits = await kernel.paintRanges(ranges, granularityBytes, {
            startBytes: 0,
            endBytes: sizeBytes,
          });
          expect(bits).toEqual(shadow.painted(granularityBytes, 0, sizeBytes));

          // Scanned again, the painted bits are the ranges widened.
          const again: BitmapSegment = { granularityBytes, bits: { kind: 'memory', bytes: bits } };
          const widened = await kernel.align(ranges, granularityBytes, window);
          expect(await kernel.scanBitmaps([again], 512, window)).toEqual(widened);
        },
      ),
      { numRuns: 80 },
    );
  });

  it('paints any window as its bytes say', async () => {
    const drawn = disk.chain((one) =>
      fc.tuple(fc.constant(one), fc.constantFrom(512, 1024, 8192), fc.nat({ max: 20 })),
    );
    await fc.assert(
      fc.asyncProperty(drawn, async ([{ sizeBytes, bitmaps, window }, granularityBytes, granule]) => {
        const endBytes = window.endBytes;
        const startBytes = Math.min(granule, Math.floor(endBytes / granularityBytes)) * granularityBytes;
        const shadow = shadowOf(sizeBytes, bitmaps, 512);
        const { ranges } = shadow.page({
          startBytes: 0,
          endBytes: sizeBytes,
          maxRanges: Number.POSITIVE_INFINITY,
        });
        const bits = await kernel.paintRanges(ranges, granularityBytes, { startBytes, endBytes });
        expect(bits).toEqual(shadow.painted(granularityBytes, startBytes, endBytes));
      }),
      { numRuns: 80 },
    );
  });
});
