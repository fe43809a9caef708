/** The timeline page's parts: cells that never hide a change and never grow without bound, intervals with their reasons. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CellCollector, collectCells } from '../../../../../lib/cli/picture/timeline/cells.js';
import { encodeCells } from '../../../../../lib/cli/picture/timeline/encodeCells.js';
import { drawHtml } from '../../../../../lib/cli/picture/timeline/htmlPage.js';
import { MAX_INTERVALS, readTimeline } from '../../../../../lib/cli/picture/timeline/intervals.js';
import { ChangeMap } from '../../../../../lib/core/changeMap.js';
import { fixedPager } from '../../../../../lib/core/pagers.js';
import { formatSegmentName } from '../../../../../lib/core/segmentName.js';
import { TrackedDisk } from '../../../../../lib/core/trackedDisk.js';
import { MemorySource, rangesOf } from '../../../../helpers/memorySource.js';
import { bitmap, flatDisk } from '../../../../helpers/states.js';
import { tinyKernel } from '../../../../helpers/tinyKernel.js';

const BLOCK = 65_536;
const TIB = 2 ** 40;

/** Disjoint ranges, apart from each other, in blocks. */
const someRanges = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 3000 })), { maxLength: 400 })
  .map((steps) => {
    let at = 0;
    return steps.map(([gap, length]) => {
      const offset = at + gap * BLOCK;
      at = offset + length * BLOCK;
      return [offset, length * BLOCK] as const;
    });
  });

function collect(ranges: readonly (readonly [number, number])[], most: number) {
  const last = ranges.at(-1) ?? [0, BLOCK];
  const collector = new CellCollector(last[0] + last[1], BLOCK, most);
  for (const [offset, length] of ranges) collector.add(offset, length);
  return collector.finish();
}

/** Reads what encodeCells writes, by its description. */
function decodeCells({ unit, text }: { unit: number; text: string }): number[] {
  const bytes = Buffer.from(text, 'base64');
  const triples: number[] = [];
  let at = 0;
  const number = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  for (let end = 0; at < bytes.length; ) {
    const start = end + number() * unit;
    const twice = number();
    end = start + ((twice - (twice % 2)) / 2) * unit;
    triples.push(start, end, twice % 2 === 1 ? end - start : number() * unit);
  }
  return triples;
}

describe('cells', () => {
  test('hold every change in its place and no more than the bound, whatever the ranges', () => {
    fc.assert(
      fc.property(someRanges, fc.integer({ min: 4, max: 200 }), (ranges, most) => {
        const { triples, bucketBytes, changedBytes, areas } = collect(ranges, most);
        const cells = Array.from(
          { length: triples.length / 3 },
          (_, i) => [triples[3 * i]!, triples[3 * i + 1]!, triples[3 * i + 2]!] as const,
        );
        expect(cells.length).toBeLessThanOrEqual(most);
        expect(areas).toBe(ranges.length);
        expect(changedBytes).toBe(ranges.reduce((sum, [, length]) => sum + length, 0));
        if (ranges.length <= most) expect(bucketBytes).toBe(0);
        let next = 0;
        let previousEnd = -1;
        for (const [start, end, changed] of cells) {
          expect(start).toBeGreaterThan(previousEnd);
          previousEnd = end;
          // The ranges inside, from the first one not used yet: they fill the hull exactly.
          const inside: (readonly [number, number])[] = [];
          while (next < ranges.length && ranges[next]![0] < end) inside.push(ranges[next++]!);
          expect(inside[0]?.[0]).toBe(start);
          const last = inside.at(-1)!;
          expect(last[0] + last[1]).toBe(end);
          expect(inside.reduce((sum, [, length]) => sum + length, 0)).toBe(changed);
          if (changed < end - start) expect(end - start).toBeLessThanOrEqual(bucketBytes);
        }
        expect(next).toBe(ranges.length);
      }),
      { numRuns: 300 },
    );
  });

  test('come back from their text as they were', () => {
    fc.assert(
      fc.property(someRanges, fc.integer({ min: 4, max: 100 }), (ranges, most) => {
        const cells = collect(ranges, most);
        expect(decodeCells(encodeCells(cells))).toEqual([...cells.triples]);
      }),
    );
    const odd = { triples: Float64Array.of(1, 2 ** 53 - 1, 77) };
    expect(decodeCells(encodeCells(odd))).toEqual([...odd.triples]);
  });

  test('three million ranges of a 64 TiB disk stay a small page', async () => {
    const count = 3_000_000;
    const ranges = new Float64Array(2 * count);
    const step = Math.floor((64 * TIB) / count / BLOCK) * BLOCK;
    for (let i = 0; i < count; i += 1) ranges.set([i * step, BLOCK], 2 * i);
    const facts = {
      disk: 'd',
      sizeBytes: 64 * TIB,
      granularityBytes: BLOCK,
      from: 'a',
      to: null,
      warnings: [],
    };
    const map = new ChangeMap(facts, fixedPager(tinyKernel, ranges), tinyKernel);
    const pager = { page: async () => ({ ranges, startBytes: 0, nextBytes: 64 * TIB }) };
    const cells = await collectCells(new ChangeMap(map, pager, tinyKernel), 32_768);
    expect(cells.changedBytes).toBe(count * BLOCK);
    expect(cells.triples.length / 3).toBeLessThanOrEqual(32_768);
    // No coarser than the bound asks for.
    expect(cells.triples.length / 3).toBeGreaterThan(8_000);
    expect(encodeCells(cells).text.length).toBeLessThan(500_000);
  });
});

const EPOCH = '11111111-1111-4111-8111-111111111111';
const pitOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const SIZE = 2 ** 30;

/** A chain of segments; segment n has block n dirty. */
function chainDisk(sequences: readonly number[], foreign: string[] = []): TrackedDisk {
  const names = sequences.map((first) =>
    formatSegmentName({ epoch: EPOCH, first, last: first, sizeBytes: SIZE, pit: pitOf(first) }),
  );
  const bitmaps = [
    ...names.map((name, i) => bitmap(name, { recording: i === names.length - 1 })),
    ...foreign.map((name) => bitmap(name, { recording: true })),
  ];
  const dirty = new Map(names.map((name, i) => [name, rangesOf([sequences[i]! * BLOCK, BLOCK])]));
  const state = flatDisk(bitmaps, { sizeBytes: SIZE });
  return new TrackedDisk(new MemorySource(state, { dirty: [dirty] }), tinyKernel);
}

describe('the timeline', () => {
  test('has an interval for each pair of neighbours, and the newest up to now', async () => {
    const { intervals } = await readTimeline(chainDisk([1, 2, 3]), {});
    expect(intervals.map(({ from, to }) => `${from.short} ${to.short}`)).toEqual([
      '#1 #2',
      '#2 #3',
      '#3 now',
    ]);
    for (const { answer } of intervals)
      expect(answer).toMatchObject({ known: true, cells: { changedBytes: BLOCK, areas: 1 } });
    expect(intervals.map(({ answer }) => answer.known && answer.cells.triples[0])).toEqual([
      BLOCK,
      2 * BLOCK,
      3 * BLOCK,
    ]);
  });

  test('what cannot be answered is told with its reason, and nothing of it looks unchanged', async () => {
    const timeline = await readTimeline(chainDisk([1, 2, 4]), {});
    const unknown = timeline.intervals.filter(({ answer }) => !answer.known);
    expect(unknown.length).toBeGreaterThan(0);
    const html = drawHtml(timeline, new Date(0));
    expect(html.split('Not known: ').length - 1).toBe(unknown.length);
    expect(html).toContain('<span class="code">MISSING</span>');
    for (const { answer } of unknown) expect(answer).toMatchObject({ error: { reason: 'MISSING' } });
  });

  test('from and to choose a part of it', async () => {
    const disk = chainDisk([1, 2, 3, 4]);
    const names = async (options: { from?: string; to?: string }): Promise<string[]> =>
      (await readTimeline(disk, options)).intervals.map(({ from, to }) => `${from.short} ${to.short}`);
    expect(await names({ from: pitOf(2), to: pitOf(4) })).toEqual(['#2 #3', '#3 #4']);
    expect(await names({ from: pitOf(3) })).toEqual(['#3 #4', '#4 now']);
    expect(await names({ to: pitOf(2) })).toEqual(['#1 #2']);
    await expect(readTimeline(disk, { from: pitOf(9) })).rejects.toMatchObject({ reason: 'UNKNOWN_PIT' });
  });

  test('very many points in time share the oldest interval, and no change is lost', async () => {
    const many = Array.from({ length: MAX_INTERVALS + 40 }, (_, i) => i + 1);
    const timeline = await readTimeline(chainDisk(many), {});
    expect(timeline.intervals).toHaveLength(MAX_INTERVALS);
    const sums = timeline.intervals.map(({ answer }) =>
      answer.known ? answer.cells.changedBytes : Number.NaN,
    );
    expect(sums.reduce((a, b) => a + b)).toBe(many.length * BLOCK);
    expect(drawHtml(timeline, new Date(0))).toContain('the first interval stands for all');
  });

  test('bitmaps of others answer since then; one whose name means something else is not asked for', async () => {
    const { intervals } = await readTimeline(chainDisk([1], ['nightly', '*']), {});
    expect(intervals.map(({ from, answer }) => [from.long, answer.known])).toEqual([
      [pitOf(1), true],
      ['nightly', true],
      ['*', false],
    ]);
  });

  test('a disk without any point in time is an error, not an empty page', async () => {
    const disk = chainDisk([]);
    await expect(readTimeline(disk, {})).rejects.toMatchObject({ code: 'ERR_CBT_TRACKING_LOST' });
  });

  test('no name gets out of its place, and the policy allows two texts alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), async (odd) => {
        const evil = `</script><img src=x onerror=alert(1)>${odd.replaceAll('\0', '')}`;
        const html = drawHtml(await readTimeline(chainDisk([1], [evil]), {}), new Date(0));
        const tags = new Set([...html.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, tag]) => tag));
        expect(tags.has('img')).toBe(false);
        expect(html.split('</script>').length - 1).toBe(2);
        expect(html).toMatch(
          /content="default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; /,
        );
      }),
      { numRuns: 30 },
    );
  });
});
