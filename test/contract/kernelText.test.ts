/** Ranges as decimal text: both kernels against `String`, and what neither takes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RangeStyle } from '../../lib/core/bitmapKernel.js';
import { kernels } from '../helpers/kernels.js';

const JSON_STYLE = { before: ',\n{"start":', between: ',"length":', after: '}' };

function expected(ranges: Float64Array, { before, between, after }: RangeStyle): string {
  let text = '';
  for (let i = 0; i < ranges.length; i += 2)
    text += before + String(ranges[i]) + between + String(ranges[i + 1]) + after;
  return text;
}

/** Ascending, apart: gaps and lengths of any number of digits. */
const rangeLists = fc
  .array(fc.tuple(fc.double({ min: 0, max: 9, noNaN: true }), fc.double({ min: 0, max: 9, noNaN: true })), {
    maxLength: 40,
  })
  .map((exponents) => {
    const flat: number[] = [];
    let at = 0;
    for (const [gap, length] of exponents) {
      const offset = at + Math.floor(10 ** gap);
      const bytes = Math.floor(10 ** length);
      flat.push(offset, bytes);
      at = offset + bytes;
    }
    return Float64Array.from(flat);
  });

const parts = fc.string({ maxLength: 16, unit: 'grapheme' });

describe.each(kernels)('$label: ranges as text', ({ kernel }) => {
  const format = async (ranges: Float64Array, style: RangeStyle): Promise<string> =>
    Buffer.from(await kernel.formatRanges(ranges, style)).toString();

  it('writes what String says at every border of the number of digits', async () => {
    for (let digits = 0; digits <= 15; digits += 1) {
      for (const offset of [10 ** digits - 1, 10 ** digits, 10 ** digits + 1]) {
        const ranges = Float64Array.of(offset, 1, offset + 2, 10 ** Math.max(0, digits - 1));
        expect(await format(ranges, JSON_STYLE)).toBe(expected(ranges, JSON_STYLE));
      }
    }
    const last = Float64Array.of(1, Number.MAX_SAFE_INTEGER - 1);
    expect(await format(last, JSON_STYLE)).toBe(expected(last, JSON_STYLE));
    const far = Float64Array.of(Number.MAX_SAFE_INTEGER - 1, 1);
    expect(await format(far, JSON_STYLE)).toBe(expected(far, JSON_STYLE));
  });

  it('writes what String says anywhere, between any words', async () => {
    await fc.assert(
      fc.asyncProperty(rangeLists, parts, parts, parts, async (ranges, before, between, after) => {
        const style = { before, between, after };
        expect(await format(ranges, style)).toBe(Buffer.from(expected(ranges, style)).toString());
      }),
    );
  });

  it('writes nothing for no range, and any length of text', async () => {
    expect(await format(new Float64Array(0), JSON_STYLE)).toBe('');
    const many = new Float64Array(400_000);
    for (let i = 0; i < many.length; i += 2) many.set([i * 1024, 512], i);
    expect(await format(many, JSON_STYLE)).toBe(expected(many, JSON_STYLE));
  });

  it('refuses parts of a style that are too long or no strings', async () => {
    const refused = (argument: string) => ({ code: 'ERR_CBT_INVALID_ARGUMENT', details: { argument } });
    const ranges = Float64Array.of(0, 1);
    for (const part of ['before', 'between', 'after']) {
      await expect(format(ranges, { ...JSON_STYLE, [part]: 'é'.repeat(33) })).rejects.toMatchObject(
        refused(`style.${part}`),
      );
      await expect(
        format(ranges, { ...JSON_STYLE, [part]: 7 } as unknown as RangeStyle),
      ).rejects.toMatchObject(refused(`style.${part}`));
      expect(await format(ranges, { ...JSON_STYLE, [part]: 'é'.repeat(32) })).toContain('é'.repeat(32));
    }
  });

  it.each([
    ['half a range', Float64Array.of(0)],
    ['ranges that touch', Float64Array.of(0, 1, 1, 1)],
    ['a part of a byte', Float64Array.of(0.5, 1)],
    ['no number', Float64Array.of(Number.NaN, 1)],
  ])('refuses %s', async (_, ranges) => {
    await expect(format(ranges, JSON_STYLE)).rejects.toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  });
});
