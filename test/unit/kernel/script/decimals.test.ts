import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeDecimal } from '../../../../lib/kernel/script/decimals.js';

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
