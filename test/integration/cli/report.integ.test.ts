/** The page of a folder: what it says is what the folder holds, whatever its disks are called, and it loads nothing. */
import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cli } from '../../helpers/cli.js';
import { makeLayerFolder } from '../../helpers/layerFolder.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';
import { change } from '../backup/changedRuns.js';

const KIB64 = 65_536;

let folder: TemporaryFolder;
let from: string;
const at = (...names: string[]): string => join(folder.path, ...names);

/** A disk of 64 clusters: a part of a strip is one. Run 2 changed the third and the last. */
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  from = at('backups');
  const cells = (...written: number[]) =>
    Array.from({ length: 64 }, (_, i) => (written.includes(i) ? 1 : null));
  await makeLayerFolder(from, [
    { sizeBytes: 64 * KIB64, cells: cells(0, 1) },
    { sizeBytes: 64 * KIB64, cells: cells(2, 63) },
  ]);
});
afterEach(() => folder.remove());

/** The shades of each strip, the newest run first. */
function strips(page: string): string[][] {
  const found = page.match(/<table role="presentation".*?<\/table>/g) ?? [];
  return found.map((one) => [...one.matchAll(/background:(#\w+)/g)].map(([, shade]) => shade ?? ''));
}

test('runs with their reasons, and where each changed its disk', async () => {
  const { code, stdout, stderr } = await cli('report', from, '--html', at('page.html'));
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: `${at('page.html')}: 2 of 2 runs of ${from}\n`,
    stderr: '',
  });
  const page = await readFile(at('page.html'), 'utf8');
  expect(page).toContain('incremental on 1');
  const [second = [], first = []] = strips(page);
  const dark = (strip: string[]): number[] =>
    strip.flatMap((shade, i) => (shade === strips(page)[0]?.[5] ? [] : [i]));
  expect(second).toHaveLength(64);
  expect(dark(second)).toEqual([2, 63]);
  expect(dark(first)).toEqual([0, 1]);
  const one = await cli('report', from, '--html', '-', '--last', '1');
  expect(strips(one.stdout)).toHaveLength(1);
});

test('it is made to be mailed: no script, nothing from elsewhere, and names are text', async () => {
  const name = '<img src=x onerror=alert(1)>"\'';
  await change(from, 2, ({ disks }) => ({
    disks: disks.map((disk) => ({ ...disk, disk: name })),
    failed: [{ disk: '<b>', code: 'ERR_CBT_TIMEOUT', reason: null, message: '</td><script>' }],
  }));
  const { stdout } = await cli('report', from, '--html', '-');
  expect(stdout).toContain('&lt;img src=x onerror=alert(1)&gt;&quot;&apos;');
  expect(stdout).toContain('failed: &lt;/td&gt;&lt;script&gt;');
  expect(stdout).not.toMatch(/<(script|img|link|style|svg|iframe|b>$)|url\(|https?:|@import/);
});

test('what is damaged is said on the page', async () => {
  await truncate(at('backups', 'disk-000002.sums'), 10);
  const { code, stdout } = await cli('report', from, '--html', '-');
  expect(code).toBe(0);
  expect(stdout).toMatch(/>run 1, .*its last run cannot be restored: its sums are damaged/);
  expect(strips(stdout)).toHaveLength(1);
  expect((await cli('report', at('none'), '--html', '-')).code).toBe(5);
});
