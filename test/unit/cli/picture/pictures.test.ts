/** Pictures: what is drawn is what the map says, nothing changed is invisible, and no hostile name gets through. */
import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import { bucketize, levelOf, shareOf } from '../../../../lib/cli/picture/buckets.js';
import { drawSvg } from '../../../../lib/cli/picture/svgMap.js';
import { cellsPerRow, drawTerminal } from '../../../../lib/cli/picture/terminalMap.js';
import { formatBytes } from '../../../../lib/cli/picture/units.js';
import { ChangeMap } from '../../../../lib/core/changeMap.js';
import { fixedPager } from '../../../../lib/core/pagers.js';
import { createScriptKernel } from '../../../../lib/kernel/scriptKernel.js';

const kernel = createScriptKernel();

function mapOf(sizeBytes: number, ranges: readonly number[], disk = 'disk.qcow2', from = 'a'): ChangeMap {
  const facts = { disk, sizeBytes, granularityBytes: 512, from, to: null, warnings: [] };
  return new ChangeMap(facts, fixedPager(kernel, Float64Array.from(ranges)), kernel);
}

/** A few disjoint ranges, apart from each other, on a disk of some size. */
const disks = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 1, max: 2 ** 40 })), {
    maxLength: 12,
  })
  .map((steps) => {
    let at = 0;
    const ranges = steps.flatMap(([gap, length]) => {
      const offset = at + gap;
      at = offset + length;
      return [offset, length];
    });
    return { sizeBytes: at + 12_345, ranges };
  });

describe('buckets', () => {
  test('hold every changed byte, and show every change', async () => {
    await fc.assert(
      fc.asyncProperty(disks, fc.integer({ min: 1, max: 500 }), async ({ sizeBytes, ranges }, count) => {
        const buckets = await bucketize(mapOf(sizeBytes, ranges), count);
        const sum = buckets.changed.reduce((a, b) => a + b, 0);
        expect(sum).toBe(buckets.changedBytes);
        expect(sum).toBe(ranges.filter((_, i) => i % 2 === 1).reduce((a, b) => a + b, 0));
        for (let i = 0; i < ranges.length; i += 2) {
          const n = Math.floor(ranges[i]! / buckets.bytesPerBucket);
          expect(levelOf(shareOf(buckets, n))).toBeGreaterThan(0);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('one changed sector of 64 TiB is seen', async () => {
    const buckets = await bucketize(mapOf(2 ** 46, [2 ** 45, 512]), 100);
    expect([...buckets.changed].filter((bytes) => levelOf(bytes) > 0)).toEqual([512]);
    expect(drawTerminal(buckets, mapOf(1, []), { columns: 80, colour: false, unicode: false })).toContain(
      '-',
    );
  });
});

describe('the terminal', () => {
  test('is never written wider than it is', async () => {
    for (const columns of [40, 80, 133, 200]) {
      const map = mapOf(2 ** 41 + 512, [0, 512, 2 ** 40, 2 ** 39], 'd', 'x'.repeat(900));
      const drawn = drawTerminal(await bucketize(map, cellsPerRow(columns) * 16), map, {
        columns,
        colour: false,
        unicode: true,
      });
      for (const line of drawn.split('\n')) expect([...line].length).toBeLessThanOrEqual(columns);
    }
  });

  test('a small disk looks like this', async () => {
    const map = mapOf(8 * 65_536, [65_536, 65_536, 7 * 65_536, 1024]);
    expect(drawTerminal(await bucketize(map, 8), map, { columns: 60, colour: false, unicode: false })).toBe(
      [
        '   0 bytes .#.....+',
        '',
        '. unchanged   - under 1 %   + 1 to 10 %   o 10 to 50 %',
        'O 50 to 90 %   # over 90 %',
        '65 KiB of 512 KiB changed (12.70 %)',
        'in 2 areas; a cell is 64 KiB',
        'from a to now',
        '',
      ].join('\n'),
    );
  });
});

describe('the SVG', () => {
  test('is well-formed and holds no markup of a name, whatever the name', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), async (name) => {
        const map = mapOf(10 * 65_536, [0, 65_536], `<script>${name}`, `"/>&${name}`);
        const svg = drawSvg(await bucketize(map, 64), map);
        const elements = new Set<string>();
        const parser = new SaxesParser();
        parser.on('opentag', (tag) => elements.add(tag.name));
        parser.on('error', (error) => {
          throw error;
        });
        parser.write(svg).close();
        expect([...elements].sort()).toEqual(['desc', 'rect', 'style', 'svg', 'text', 'title']);
      }),
      { numRuns: 100 },
    );
  });
});

test('sizes read as people write them', () => {
  expect([0, 512, 1536, 65_536, 10 * 2 ** 20, 2 ** 42, 1.234 * 2 ** 40].map(formatBytes)).toEqual([
    '0 bytes',
    '512 bytes',
    '1.50 KiB',
    '64 KiB',
    '10 MiB',
    '4 TiB',
    '1.23 TiB',
  ]);
});
