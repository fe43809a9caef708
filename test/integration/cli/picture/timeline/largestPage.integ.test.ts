/**
 * The largest page there can be: as many rows as are drawn, as many cells as they may have together, names as long as QEMU
 * takes them. It opens, draws, zooms and scrolls in a real browser, and every row can still be told from the others.
 */
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CellCollector } from '../../../../../lib/cli/picture/timeline/cells.js';
import { drawHtml } from '../../../../../lib/cli/picture/timeline/htmlPage.js';
import { type Interval, MAX_INTERVALS } from '../../../../../lib/cli/picture/timeline/intervals.js';
import { trackingLost } from '../../../../../lib/core/errors.js';
import { Chromium, type Page } from '../../../../helpers/chromium.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/qemuTools.js';

const MIB = 2 ** 20;
const BLOCK = 65_536;
const SIZE = 64 * 2 ** 40;
/** What each of twice MAX_INTERVALS rows may have. */
const CELLS = Math.floor(240_000 / (2 * MAX_INTERVALS));

let folder: TemporaryFolder;
let browser: Chromium;
let file: string;
let page: Page;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  browser = await Chromium.start();
  file = join(folder.path, 'largest.html');
  const intervals = Array.from({ length: 2 * MAX_INTERVALS }, (_, n) => makeInterval(n));
  const timeline = { disk: '/big.qcow2', sizeBytes: SIZE, epoch: null, pitCount: 65_535, intervals };
  await writeFile(file, drawHtml({ ...timeline, problems: [], notes: [] }, new Date(0)));
  page = await browser.open(file);
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await folder?.remove();
});

/** The first half are points in time; the others bitmaps of others, whose names need the most bytes in a page. */
function makeInterval(n: number): Interval {
  const point = n < MAX_INTERVALS;
  const name = `${n} `.padEnd(1023, '"');
  const from = point ? { short: `#${n + 1}`, long: `${n}` } : { short: 'bitmap', long: name, named: true };
  const to = point ? { short: `#${n + 2}`, long: `${n + 1}` } : { short: 'now', long: 'now' };
  if (n % 64 === 63)
    return { from, to, answer: { known: false, error: trackingLost('FOREIGN', name.repeat(4)) } };
  const collector = new CellCollector(SIZE, BLOCK, CELLS);
  const step = Math.floor(SIZE / CELLS / BLOCK) * BLOCK;
  // Gaps and lengths that need many bytes, each row with its own.
  for (let i = 0; i < CELLS; i += 1) collector.add(i * step + BLOCK * (i % 97), step / 2 + BLOCK * (n % 89));
  const cells = collector.finish();
  return {
    from,
    to,
    answer: { known: true, sizeBytes: SIZE, granularityBytes: BLOCK, cells, warnings: [] },
  };
}

test('stays a file of some megabytes, and opens without a complaint', async () => {
  expect((await stat(file)).size).toBeLessThan(16 * MIB);
  expect(await page.evaluate('rows.reduce((sum, row) => sum + (row.starts?.length ?? 0), 0)')).toBe(
    CELLS * (2 * MAX_INTERVALS - 8),
  );
  // Measured: 1 to 2.5 s on two cores that others use as well.
  expect(await page.evaluate('performance.getEntriesByType("navigation")[0].loadEventEnd')).toBeLessThan(
    30_000,
  );
  expect(page.complaints).toEqual([]);
});

test('zooms to the closest view and back, and draws what is in sight', async () => {
  const started = performance.now();
  for (const factor of ['0.1', '0.1', '0.1', '0.1', '100', '100']) {
    await page.evaluate(`zoom(${factor})`);
    await page.drawn();
    const blank = `plots.filter(({ canvas }) => inSight.has(canvas) && canvas.width === 0).length`;
    expect(await page.evaluate(blank)).toBe(0);
  }
  expect(await page.evaluate('view')).toEqual({ start: 0, end: SIZE });
  expect(performance.now() - started).toBeLessThan(30_000);
});

test('far down, the ruler is still in sight, and bitmaps of others have their names', async () => {
  const lines = await page.evaluate<{
    header: number;
    row: number;
    names: string[];
    tip: string[];
  }>(`(async () => {
    const row = document.querySelector('tr[data-row="400"]');
    row.scrollIntoView({ block: 'center' });
    const box = row.querySelector('canvas').getBoundingClientRect();
    row.querySelector('canvas').dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + 5, clientY: box.top + 2 }));
    return {
      header: document.querySelector('.ruler').getBoundingClientRect().top,
      row: box.top,
      names: [...row.querySelectorAll('th span')].filter((span) => span.checkVisibility()).map((span) => span.textContent),
      tip: [...document.querySelectorAll('#tip:not([hidden]) p')].map((p) => p.textContent),
    };
  })()`);
  expect(lines.row).toBeGreaterThan(100);
  expect(lines.header).toBeGreaterThanOrEqual(0);
  expect(lines.header).toBeLessThan(lines.row);
  expect(lines.names).toEqual([`400 `.padEnd(1023, '"')]);
  expect(lines.tip[1]).toBe(`${'400 '.padEnd(95, '"')}… → now`);
});

test('a reason of four kilobytes takes no more than a few lines', async () => {
  const tallest = `Math.max(...[...document.querySelectorAll('.why')].map((why) => why.getBoundingClientRect().height))`;
  expect(await page.evaluate(tallest)).toBeLessThan(100);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(1280);
});
