/** A map's areas and bits against a set of granules, one by one. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DiskMap } from '../../../../lib/facade/parallels/index.js';

const cases = fc
  .record({
    granularityBytes: fc.constantFrom(512, 4096, 65_536),
    bits: fc.integer({ min: 0, max: 200 }),
    tail: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      set: fc.uniqueArray(fc.nat(Math.max(0, shape.bits - 1)), { maxLength: shape.bits }),
    }),
  );

test('areas are the set granules, joined, clipped to the disk', () => {
  fc.assert(
    fc.property(cases, ({ shape: { granularityBytes, bits, tail }, set }) => {
      // The last granule may be short, down to one byte.
      const sizeBytes = Math.max(0, bits * granularityBytes - Math.floor(tail * (granularityBytes - 1)));
      const bytes = new Uint8Array(Math.ceil(bits / 8));
      for (const n of bits === 0 ? [] : set) bytes[n >> 3]! |= 1 << (n & 7);
      const map = new DiskMap(bytes, granularityBytes, sizeBytes);
      expect([map.sizeBits, map.byteLength]).toEqual([bits, bytes.length]);
      const covered = new Set<number>();
      let end = -1;
      for (const { offset, length } of map) {
        expect(offset).toBeGreaterThan(end);
        expect(length).toBeGreaterThan(0);
        end = offset + length;
        expect(end).toBeLessThanOrEqual(sizeBytes);
        for (let at = offset; at < end; at += granularityBytes) covered.add(at / granularityBytes);
      }
      expect(covered).toEqual(new Set(bits === 0 ? [] : set));
      for (let n = 0; n < bits; n += 1) expect(map.has(n)).toBe(covered.has(n));
      // What is read is the reader's: the map never changes.
      map.read().fill(0xff);
      expect(map.read()).toEqual(bytes);
    }),
  );
});
