/**
 * Telling zeros from data in a change map, against one flag a block: every changed byte is told once, with the kind that it
 * has, however the map of data is cut into pages.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitByKind } from '../../../../../lib/core/areaKinds.js';
import { ChangeMap } from '../../../../../lib/core/changeMap.js';
import { fixedPager } from '../../../../../lib/core/pagers.js';
import type { RangePager, Ranges, Window } from '../../../../../lib/core/rangePage.js';
import { createScriptKernel } from '../../../../../lib/kernel/scriptKernel.js';
import { refusalOf } from '../../../../helpers/refusal.js';

const kernel = createScriptKernel();
const BLOCKS = 48;

/** Runs of set flags, in blocks of `unit` bytes. */
function rangesOf(flags: readonly boolean[], unit: number): Ranges {
  const pairs: number[] = [];
  flags.forEach((set, i) => {
    if (set && flags[i - 1]) pairs[pairs.length - 1]! += unit;
    else if (set) pairs.push(i * unit, unit);
  });
  return Float64Array.from(pairs);
}

/** A pager that stops wherever it likes: after `most` ranges, and never tells more than `reach` bytes. */
function cutting(ranges: Ranges, most: number, reach: number, asked: Window[]): RangePager {
  const whole = fixedPager(kernel, ranges);
  return {
    page(window) {
      asked.push(window);
      const endBytes = Math.min(window.endBytes, window.startBytes + reach);
      return whole.page({ ...window, endBytes, maxRanges: Math.min(window.maxRanges, most) });
    },
  };
}

test('every changed byte has its kind, once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { minLength: BLOCKS, maxLength: BLOCKS }),
      fc.array(fc.boolean(), { minLength: BLOCKS, maxLength: BLOCKS }),
      // At 32 MiB a block, any gap is too wide to be asked across.
      fc.constantFrom(512, 65_536, 2 ** 25),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 * BLOCKS }),
      fc.integer({ min: 0, max: BLOCKS - 1 }),
      async (changed, data, unit, most, reach, start) => {
        const asked: Window[] = [];
        const sizeBytes = BLOCKS * unit;
        const facts = { disk: 'd', sizeBytes, granularityBytes: 512, from: 'a', to: null, warnings: [] };
        const pager = cutting(rangesOf(data, unit), most, (reach * unit) / 2, asked);
        const whole = fixedPager(kernel, rangesOf(changed, unit));
        const map = new ChangeMap(facts, whole, kernel, { start: start * unit }, pager);
        const told = new Array<string>(BLOCKS).fill('');
        let [end, kind] = [-1, -1];
        for await (const { ranges, zero } of map.kinds()) {
          expect(ranges.length).toBe(2 * zero.length);
          zero.forEach((isZero, i) => {
            const [offset, length] = [ranges[2 * i]!, ranges[2 * i + 1]!];
            expect(offset).toBeGreaterThanOrEqual(end);
            // One kind is told in one piece.
            if (offset === end) expect(isZero).not.toBe(kind);
            [end, kind] = [offset + length, isZero];
            for (let at = offset; at < end; at += unit) told[at / unit] += isZero ? 'z' : 'd';
          });
        }
        expect(told).toEqual(changed.map((is, i) => (!is || i < start ? '' : data[i] ? 'd' : 'z')));
        if (unit === 2 ** 25)
          for (const { startBytes, endBytes } of asked)
            for (let at = startBytes; at < endBytes; at += unit) {
              // Nothing is asked where nothing changed.
              expect(changed[Math.floor(at / unit)]).toBe(true);
            }
      },
    ),
  );
});

test('a map that was not asked for it refuses, an empty one has nothing', async () => {
  const facts = { disk: 'd', sizeBytes: 512, granularityBytes: 512, from: 'a', to: null, warnings: [] };
  const none = fixedPager(kernel, new Float64Array(0));
  const kinds = new ChangeMap(facts, none, kernel).kinds();
  expect(await refusalOf(kinds.next())).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  for await (const area of new ChangeMap(facts, none, kernel, {}, none).kinds()) expect(area).toBeUndefined();
});

test('a map of data that does not move on is our bug, not a hang', async () => {
  const stuck: RangePager = {
    page: async ({ startBytes }) => ({ ranges: new Float64Array(0), startBytes, nextBytes: startBytes }),
  };
  const split = splitByKind(kernel, Float64Array.of(0, 512), stuck);
  expect(await refusalOf(split.next())).toMatchObject({ code: 'ERR_CBT_INTERNAL' });
});
