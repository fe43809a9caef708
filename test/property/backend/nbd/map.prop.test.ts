/** Whatever of its freedoms a server uses, the map is the same. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkRanges } from '../../../../lib/core/rangePage.js';
import { withConnection } from '../../../helpers/fakeNbdConnection.js';
import {
  type Chunk,
  cutExtents,
  type Extent,
  type StatusQuestion,
  statusChunk,
} from '../../../helpers/fakeNbdServer.js';
import { seededRandom } from '../../../helpers/guestWriter.js';
import { refusalOf } from '../../../helpers/refusal.js';

const DIRTY = 'qemu:dirty-bitmap:b';
const OTHER = 'base:allocation';
const ALL = Number.POSITIVE_INFINITY;
const GiB = 2 ** 30;

/** Dirty ranges of a truth, from the model's side. */
function dirtyRanges(extents: readonly Extent[], start: number, end: number): number[] {
  const ranges: number[] = [];
  let at = start;
  for (const { length, flags } of cutExtents(extents, start, end - start)) {
    const last = ranges.length - 2;
    if (flags !== 0 && last >= 0 && ranges[last]! + ranges[last + 1]! === at) ranges[last + 1]! += length;
    else if (flags !== 0) ranges.push(at, length);
    at += length;
  }
  return ranges;
}

/** Cuts extents into neighbours with the same flags. */
function split(extents: readonly Extent[], draw: (below: number) => number): Extent[] {
  return extents.flatMap(({ length, flags }) => {
    const parts: Extent[] = [];
    let left = length;
    while (left > 1 && draw(3) !== 0 && parts.length < 4) {
      const part = 1 + draw(left - 1);
      parts.push({ length: part, flags });
      left -= part;
    }
    return [...parts, { length: left, flags }];
  });
}

/** Ends the answer early: after some extents, or inside the last. */
function shorten(extents: readonly Extent[], draw: (below: number) => number): Extent[] {
  const kept = extents.slice(0, 1 + draw(extents.length)).map((extent) => ({ ...extent }));
  const last = kept.at(-1)!;
  if (draw(2) === 0) last.length = 1 + draw(last.length);
  return kept;
}

const bytesOf = (extents: readonly Extent[]): number => extents.reduce((sum, { length }) => sum + length, 0);

/** Lets the last extent go on past the request, as far as that is true. */
function lengthen(question: StatusQuestion, truth: readonly Extent[], size: number): Extent[] {
  const end = question.offset + question.length;
  const extents = question.extents.map((extent) => ({ ...extent }));
  const beyond = cutExtents(truth, end, size - end)[0];
  const last = extents.at(-1)!;
  if (beyond !== undefined && beyond.flags === last.flags && last.length + beyond.length < 2 ** 32) {
    last.length += beyond.length;
  }
  return extents;
}

const extentsOf = (longest: number) =>
  fc.array(
    fc.record({ length: fc.integer({ min: 1, max: longest }), flags: fc.integer({ min: 0, max: 1 }) }),
    {
      minLength: 1,
      maxLength: 30,
    },
  );

describe('every allowed behaviour gives the same map', () => {
  test('short, long, split, same-flag and many-context replies, in pages or whole', async () => {
    const truths = fc.oneof(extentsOf(5000), extentsOf(3 * GiB));
    const behaviours = fc.record({
      seed: fc.integer(),
      shorten: fc.boolean(),
      split: fc.boolean(),
      lengthen: fc.boolean(),
      oneExtent: fc.boolean(),
      unknownFlags: fc.boolean(),
      secondContext: fc.boolean(),
      minBlock: fc.constantFrom(1, 512, 65536),
      maxRanges: fc.constantFrom(1, 3, 100_000, ALL),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
      to: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(truths, behaviours, async (list, way) => {
        const draw = seededRandom(way.seed);
        const total = bytesOf(list);
        const sizeBytes = Math.ceil(total / way.minBlock) * way.minBlock;
        const truth = sizeBytes > total ? [...list, { length: sizeBytes - total, flags: 0 }] : list;
        const status = (question: StatusQuestion): Chunk[] => {
          let extents = way.split ? split(question.extents, draw) : question.extents;
          if (question.context === DIRTY) {
            if (way.lengthen) extents = lengthen({ ...question, extents }, truth, sizeBytes);
            if (way.unknownFlags)
              extents = extents.map((e) => ({ ...e, flags: e.flags * (1 + 6 * draw(2)) }));
          }
          const whole = extents;
          if (way.oneExtent) extents = extents.slice(0, 1);
          if (way.shorten && draw(2) === 0) extents = shorten(extents, draw);
          // With blocks, an answer that ends inside the first one would be asked again for ever.
          if (bytesOf(extents) < way.minBlock) extents = cutExtents(whole, 0, way.minBlock);
          return [statusChunk(question.id, extents)];
        };
        const other: Extent[] = [{ length: sizeBytes, flags: 3 }].flatMap(({ length, flags }) => {
          const whole = Math.floor(length / GiB);
          return [
            ...Array.from({ length: whole }, () => ({ length: GiB, flags })),
            { length: length % GiB, flags },
          ];
        });
        const contexts = way.secondContext ? { [OTHER]: other, [DIRTY]: truth } : { [DIRTY]: truth };
        const blockSizes = way.minBlock === 1 ? {} : { blockSizes: [way.minBlock, 65536, 2 ** 25] as const };
        const [a, b] = [Math.floor(way.from * sizeBytes), Math.floor(way.to * sizeBytes)];
        const [start, end] = a <= b ? [a, b] : [b, a];
        await withConnection(
          { sizeBytes, contexts, status, ...blockSizes },
          async (connection) => {
            const pager = connection.pager(DIRTY, 'dirty');
            const found: number[] = [];
            for (let at = start; at < end; ) {
              const page = await pager.page({ startBytes: at, endBytes: end, maxRanges: way.maxRanges });
              expect(page.ranges.length / 2).toBeLessThanOrEqual(way.maxRanges);
              expect(page.nextBytes).toBeGreaterThan(at);
              found.push(...page.ranges);
              at = page.nextBytes;
            }
            checkRanges('found', Float64Array.from(found));
            expect(found).toEqual(dirtyRanges(truth, start, end));
          },
          { contexts: way.secondContext ? [DIRTY, OTHER] : [DIRTY] },
        );
      }),
      { numRuns: 150 },
    );
  });

  // Flags: 0 data, 1 a hole that need not read as zeros, 2 allocated zeros, 3 a hole that reads as zeros.
  test.each([
    ['data', [0, 2000]],
    ['zero', [2000, 2000]],
    ['allocated', [0, 1000, 2000, 1000]],
  ] as const)('base:allocation: %s', async (wanted, expected) => {
    const truth = [0, 1, 2, 3].map((flags) => ({ length: 1000, flags }));
    await withConnection(
      { sizeBytes: 4000, contexts: { [OTHER]: truth } },
      async (connection) => {
        const page = await connection.blockStatus(OTHER, wanted, {
          startBytes: 0,
          endBytes: 4000,
          maxRanges: ALL,
        });
        expect([...page.ranges]).toEqual(expected);
      },
      { contexts: [OTHER] },
    );
  });

  test('allocation depth: any layer, and the top one', async () => {
    const depth = 'qemu:allocation-depth';
    const truth = [0, 1, 2, 7].map((flags) => ({ length: 1000, flags }));
    await withConnection(
      { sizeBytes: 4000, contexts: { [depth]: truth } },
      async (connection) => {
        const window = { startBytes: 0, endBytes: 4000, maxRanges: ALL };
        expect([...(await connection.blockStatus(depth, 'allocated', window)).ranges]).toEqual([1000, 3000]);
        expect([...(await connection.blockStatus(depth, 'top', window)).ranges]).toEqual([1000, 1000]);
        expect((await refusalOf(connection.blockStatus(depth, 'dirty', window))).code).toBe(
          'ERR_CBT_INVALID_ARGUMENT',
        );
      },
      { contexts: [depth] },
    );
  });
});
