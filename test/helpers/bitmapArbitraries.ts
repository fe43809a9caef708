/** Random bitmaps, windows and range lists for the kernels' property suites; sizes cluster at borders, plus or minus one. */
import fc from 'fast-check';
import type { Window } from '../../lib/core/rangePage.js';
import { bitsOf, pageOf } from './shadow.js';

/** A number next to a multiple of one of the units: one less, equal, one more. */
export function nearMultiple(units: readonly number[], most: number): fc.Arbitrary<number> {
  return fc
    .tuple(fc.constantFrom(...units), fc.nat(), fc.integer({ min: -1, max: 1 }))
    .map(([unit, factor, step]) =>
      Math.max(0, Math.min(most, (factor % (Math.floor(most / unit) + 1)) * unit + step)),
    );
}

/** Bits of every density: none, all, stripes, a few, noise of any level, long runs. */
export function bitPattern(bitCount: number): fc.Arbitrary<Uint8Array> {
  const last = Math.max(0, bitCount - 1);
  const stripes = fc.tuple(
    fc.integer({ min: 1, max: 70 }),
    fc.integer({ min: 1, max: 70 }),
    fc.integer({ min: 0, max: 70 }),
  );
  return fc.oneof(
    fc.constantFrom(0, 1).map((value) => bitsOf(bitCount, () => value === 1)),
    fc
      .uniqueArray(fc.integer({ min: 0, max: last }), { maxLength: 6 })
      .map((set) => bitsOf(bitCount, (bit) => set.includes(bit))),
    stripes.map(([on, off, shift]) => bitsOf(bitCount, (bit) => (bit + shift) % (on + off) < on)),
    fc
      .array(nearMultiple([1, 8, 32, 64, 128, 4096], last), { maxLength: 8 })
      .map((borders) =>
        bitsOf(bitCount, (bit) => borders.filter((border) => border <= bit).length % 2 === 1),
      ),
    fc.tuple(fc.integer(), fc.integer({ min: 0, max: 256 })).map(([seed, level]) => {
      const random = pseudoRandom(seed);
      return bitsOf(bitCount, () => random() * 256 < level);
    }),
  );
}

/** A window of [0, size) with any cap. */
export function windowOf(sizeBytes: number): fc.Arbitrary<Window> {
  const edge = fc.oneof(fc.constantFrom(0, sizeBytes), nearMultiple([1, 512, 4096], sizeBytes));
  const cap = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 9 }));
  return fc.tuple(edge, edge, cap).map(([a, b, maxRanges]) => ({
    startBytes: Math.min(a, b),
    endBytes: Math.max(a, b),
    maxRanges,
  }));
}

/** Ranges of [0, size), borders next to multiples of the units. */
export function rangesOf(
  sizeBytes: number,
  units: readonly number[],
  maxRanges: number,
): fc.Arbitrary<Float64Array> {
  return fc.uniqueArray(nearMultiple(units, sizeBytes), { maxLength: maxRanges * 2 }).map((borders) => {
    const sorted = borders.sort((a, b) => a - b);
    const pairs: number[] = [];
    for (let i = 0; i + 1 < sorted.length; i += 2) pairs.push(sorted[i]!, sorted[i + 1]! - sorted[i]!);
    return pageOf(pairs, 0, 0).ranges;
  });
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function pseudoRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
