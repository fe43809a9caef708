import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AreaText } from '../../../lib/cli/areaText.js';
import { writeDecimal } from '../../../lib/cli/decimals.js';

const decimal = (value: number): string => {
  const target = new Uint8Array(20);
  return Buffer.from(target.subarray(0, writeDecimal(target, 0, value))).toString();
};

test('decimals are what String says, at every border of the digit groups', () => {
  const borders = Array.from({ length: 16 }, (_, i) => 10 ** i).flatMap((n) => [n - 1, n, n + 1]);
  for (const value of [...borders, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER])
    expect(decimal(value)).toBe(String(value));
});

test('decimals are what String says, anywhere', () => {
  fc.assert(fc.property(fc.maxSafeNat(), (value) => decimal(value) === String(value)));
});

test('batches in any cut make one text', () => {
  const pairs = fc.array(fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()), { maxLength: 20 });
  fc.assert(
    fc.property(fc.array(pairs, { maxLength: 5 }), (batches) => {
      const json = new AreaText('json');
      const lines = new AreaText('jsonl');
      const texts = batches.map((batch) => {
        const ranges = Float64Array.from(batch.flat());
        return [Buffer.from(json.format(ranges)).toString(), Buffer.from(lines.format(ranges)).toString()];
      });
      const expected = batches.flat().map(([start, length]) => ({ start, length }));
      expect(JSON.parse(`[${texts.map(([text]) => text).join('')}]`)).toEqual(expected);
      const rows = texts
        .map(([, text]) => text)
        .join('')
        .split('\n')
        .filter(Boolean);
      expect(rows.map((row) => JSON.parse(row))).toEqual(expected);
    }),
  );
});
