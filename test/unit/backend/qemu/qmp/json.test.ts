import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../../../../lib/backend/qemu/qmp/json.js';

describe('parseJson', () => {
  it('keeps exact integers as numbers and wider ones as bigint, at the very border', () => {
    expect(parseJson('[9007199254740991, -9007199254740991, 9007199254740992, -9007199254740992]')).toEqual([
      2 ** 53 - 1,
      -(2 ** 53 - 1),
      2n ** 53n,
      -(2n ** 53n),
    ]);
    expect(parseJson('{"a":18446744073709551615,"b":[-9223372036854775808]}')).toEqual({
      a: 18446744073709551615n,
      b: [-9223372036854775808n],
    });
  });

  it('leaves digits inside strings, fractions and exponents alone', () => {
    const text =
      '{"9007199254740993":"9007199254740993 \\"9007199254740993", "f":0.12345678901234567,"e":1e300}';
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  it('refuses an integer of more digits than 64 bits can have, without turning it into a bigint', () => {
    const started = performance.now();
    expect(() => parseJson(`[${'9'.repeat(5_000_000)}]`)).toThrow(/more than 20 digits/);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('refuses what JSON refuses', () => {
    for (const text of [
      '',
      '{',
      '[0123456789012345678]',
      '1234567890123456789-1',
      '"9007199254740993',
      '{"a":--9007199254740993}',
    ]) {
      expect(() => parseJson(text), text).toThrow(SyntaxError);
    }
  });

  it('does not let a peer make bigints by spelling our marker', () => {
    expect(parseJson('{"wide-integer-x":"1","n":9007199254740993}')).toEqual({
      'wide-integer-x': '1',
      n: 9007199254740993n,
    });
  });

  it('agrees with JSON.parse on any value of exact numbers', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const wide = /(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/.test(text);
        fc.pre(!wide);
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('gives every 64-bit integer back exactly', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })), (values) => {
        const parsed = parseJson(`[${values.join(',')}]`) as (number | bigint)[];
        expect(parsed.map(BigInt)).toEqual(values);
        expect(parsed.every((value) => typeof value === 'bigint' || Number.isSafeInteger(value))).toBe(true);
      }),
    );
  });
});
