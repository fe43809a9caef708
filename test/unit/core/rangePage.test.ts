/** The checks that every kernel, pager and map leans on. */
import { describe, expect, test } from 'vitest';
import {
  checkByteCount,
  checkGranularity,
  checkProgress,
  checkRanges,
  checkWindow,
  MAX_DISK_BYTES,
  type RangePage,
  rangeCount,
} from '../../../lib/core/rangePage.js';
import { rangesOf } from '../../helpers/memorySource.js';
import { refusal } from '../../helpers/refusal.js';

const ALL = Number.POSITIVE_INFINITY;

describe('windows', () => {
  test.each([
    [0, 0, 1],
    [0, 1, ALL],
    [5, 5, 1],
    [MAX_DISK_BYTES, MAX_DISK_BYTES, Number.MAX_SAFE_INTEGER],
  ])('[%s, %s) of %s', (startBytes, endBytes, maxRanges) => {
    checkWindow({ startBytes, endBytes, maxRanges });
  });

  test.each<[string, number, number, number]>([
    ['startBytes', -1, 5, 1],
    ['startBytes', 0.5, 5, 1],
    ['startBytes', Number.NaN, 5, 1],
    ['startBytes', 6, 5, 1],
    ['endBytes', 0, 2 ** 53, 1],
    ['endBytes', 0, ALL, 1],
    ['endBytes', 0, Number.NaN, 1],
    ['maxRanges', 0, 5, 0],
    ['maxRanges', 0, 5, -1],
    ['maxRanges', 0, 5, 1.5],
    ['maxRanges', 0, 5, Number.NaN],
    ['maxRanges', 0, 5, -ALL],
    ['maxRanges', 0, 5, 2 ** 53],
  ])('wrong %s: [%s, %s) of %s', (argument, startBytes, endBytes, maxRanges) => {
    const error = refusal(() => checkWindow({ startBytes, endBytes, maxRanges }));
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(error.message).toMatch(new RegExp(`^${argument} is `));
  });

  test('numbers that come as something else are refused', () => {
    for (const value of ['5', 5n, null, undefined, [5], true] as unknown[]) {
      expect(refusal(() => checkByteCount('endBytes', value as number)).code).toBe(
        'ERR_CBT_INVALID_ARGUMENT',
      );
      expect(refusal(() => checkGranularity('granularityBytes', value as number)).code).toBe(
        'ERR_CBT_INVALID_ARGUMENT',
      );
    }
  });
});

test('every granularity of QEMU and no other', () => {
  for (let bits = 0; bits < 53; bits += 1) {
    const check = (value: number) => () => checkGranularity('granularityBytes', value);
    if (bits >= 9 && bits <= 31) check(2 ** bits)();
    else expect(refusal(check(2 ** bits)).message).toContain('a power of two from 512 to 2147483648');
    if (bits > 1) expect(refusal(check(2 ** bits - 1)).code).toBe('ERR_CBT_INVALID_ARGUMENT');
    if (bits > 1) expect(refusal(check(2 ** bits + 1)).code).toBe('ERR_CBT_INVALID_ARGUMENT');
  }
  for (const bad of [Number.NaN, ALL, -512, 0, 768, 512.5])
    expect(refusal(() => checkGranularity('g', bad)).code).toBe('ERR_CBT_INVALID_ARGUMENT');
});

describe('ranges', () => {
  test('as they should be', () => {
    for (const good of [
      rangesOf(),
      rangesOf([0, 1]),
      rangesOf([0, 1], [2, 1]),
      rangesOf([0, MAX_DISK_BYTES]),
    ]) {
      checkRanges('ranges', good);
    }
    expect(rangeCount(rangesOf([0, 1], [2, 1]))).toBe(2);
  });

  test.each<[string, number[], string]>([
    ['half a pair', [0, 1, 2], '3 numbers'],
    ['touching', [0, 2, 2, 2], 'ranges[1] is "2+2"'],
    ['overlapping', [0, 4, 2, 2], 'ranges[1] is "2+2"'],
    ['descending', [10, 1, 0, 1], 'ranges[1] is "0+1"'],
    ['empty', [5, 0], 'ranges[0] is "5+0"'],
    ['negative length', [5, -1], 'ranges[0]'],
    ['negative offset', [-5, 1], 'ranges[0]'],
    ['broken offset', [0.5, 1], 'ranges[0]'],
    ['NaN', [0, Number.NaN], 'ranges[0]'],
    ['Infinity', [0, ALL], 'ranges[0]'],
    ['an end past exact numbers', [MAX_DISK_BYTES, 1], 'ranges[0]'],
  ])('refused: %s', (_, numbers, shown) => {
    const error = refusal(() => checkRanges('ranges', Float64Array.from(numbers)));
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(error.message).toContain(shown);
  });
});

describe('a pager that breaks its promise is caught before it hangs a caller or shortens an answer', () => {
  const window = { startBytes: 10, endBytes: 20, maxRanges: ALL };
  const page = (nextBytes: number, startBytes = 10, ranges = rangesOf()): RangePage => ({
    ranges,
    startBytes,
    nextBytes,
  });

  test('good pages', () => {
    checkProgress(window, page(11), 'p');
    checkProgress(window, page(20), 'p');
    checkProgress(window, page(20, 10, rangesOf([10, 1], [15, 5])), 'p');
    checkProgress({ ...window, endBytes: 10 }, page(10), 'p');
  });

  test.each<[string, RangePage]>([
    ['stuck', page(10)],
    ['going back', page(9)],
    ['past the end', page(21)],
    ['starting elsewhere', page(20, 11)],
    ['no number', page(Number.NaN)],
    ['no start', page(20, Number.NaN)],
    ['a range before the window', page(20, 10, rangesOf([9, 2]))],
    ['a range past what it told', page(15, 10, rangesOf([14, 2]))],
    ['a range that is no number', page(20, 10, rangesOf([11, Number.NaN]))],
    ['half a pair', page(20, 10, Float64Array.of(11, 1, 15))],
  ])('%s', (_, answer) => {
    const error = refusal(() => checkProgress(window, answer, 'the pager'));
    expect(error.code).toBe('ERR_CBT_INTERNAL');
    expect(error.message).toContain('the pager answered');
    expect(error.message).toContain('[10, 20)');
  });
});
