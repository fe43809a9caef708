/**
 * The page in a real browser: what is drawn is what QEMU says was written, at every zoom; what is told below the pointer is
 * where it is; it asks for nothing, complains of nothing, and no name of an image gets to run.
 */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatBytes } from '../../../../lib/cli/picture/units.js';
import { ImageTracking } from '../../../../lib/host/imageTracking.js';
import { Chromium, type Page } from '../../../helpers/chromium.js';
import { cli } from '../../../helpers/cli.js';
import {
  dirtyExtents,
  type Extent,
  makeTemporaryFolder,
  qemuImg,
  type TemporaryFolder,
  writeRecorded,
} from '../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../helpers/storageDaemon.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const SIZE = 7 * GIB + 192 * KIB;

let folder: TemporaryFolder;
let browser: Chromium;
let disk: string;
let file: string;
/** What QEMU says of each segment, oldest first. */
let oracle: Extent[][];

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  browser = await Chromium.start();
  disk = join(folder.path, 'web & mail.qcow2');
  file = join(folder.path, 'map.html');
  await qemuImg('create', '-q', '-f', 'qcow2', disk, String(SIZE));
  const tracking = new ImageTracking([disk]);
  await tracking.enable();
  const writes: Extent[][] = [
    [
      [0, 512],
      [GIB, 40 * MIB],
      [3 * GIB + 5 * MIB, 64 * KIB],
      [3 * GIB + 6 * MIB, 64 * KIB],
      [SIZE - 512, 512],
    ],
    [],
    Array.from({ length: 60 }, (_, i) => [2 * GIB + i * 3 * MIB, (1 + (i % 9)) * 64 * KIB] as const),
  ];
  for (const [i, extents] of writes.entries()) {
    if (i > 0) await tracking.commit((await tracking.begin()).pit);
    if (extents.length > 0) await writeRecorded(disk, extents);
  }
  const { bitmaps } = JSON.parse(await qemuImg('info', '--output=json', disk))['format-specific'].data;
  const names = (bitmaps as { name: string }[]).map(({ name }) => name);
  const sequence = (name: string): number => Number(name.split('.')[2]);
  names.sort((a, b) => sequence(a) - sequence(b));
  oracle = [];
  for (const name of names) oracle.push(await dirtyExtents(name, ['-f', 'qcow2', disk]));
  expect(oracle.map((extents) => extents.length)).toEqual([5, 0, 60]);
  expect(await cli('map', disk, '--html', file)).toEqual({ code: 0, stdout: '', stderr: '' });
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await folder?.remove();
});

interface Drawn {
  width: number;
  left: number;
  middle: number;
  /** For each column whether anything but the track is drawn in its lowest line. */
  columns: boolean[];
}

/** What the canvases of the rows show, read back from their pixels. */
const drawnRows = (page: Page): Promise<Drawn[]> =>
  page.evaluate(`[...document.querySelectorAll('canvas.plot')].map((canvas) => {
    const box = canvas.getBoundingClientRect();
    const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: 2 });
    const probe = copy.getContext('2d', { willReadFrequently: true });
    probe.drawImage(canvas, 0, canvas.height - 1, canvas.width, 1, 0, 1, canvas.width, 1);
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--track').trim();
    probe.fillRect(0, 0, 1, 1);
    const track = String(probe.getImageData(0, 0, 1, 1).data);
    const { data } = probe.getImageData(0, 1, canvas.width, 1);
    const columns = Array.from({ length: canvas.width }, (_, n) => String(data.slice(4 * n, 4 * n + 4)) !== track);
    return { width: box.width, left: box.left, middle: box.top + box.height / 2, columns };
  })`);

const view = (page: Page): Promise<{ start: number; end: number }> => page.evaluate('view');

function expectDrawn(rows: Drawn[], { start, end }: { start: number; end: number }): void {
  expect(rows).toHaveLength(oracle.length);
  for (const [i, { columns }] of rows.entries()) {
    const perColumn = (end - start) / columns.length;
    const expected = columns.map((_, n) => {
      const from = start + n * perColumn;
      const overlaps = oracle[i]!.map(
        ([offset, length]) => Math.min(offset + length, from + perColumn) - Math.max(offset, from),
      );
      return Math.max(0, ...overlaps) / perColumn;
    });
    const wrong = columns.flatMap((is, n) =>
      // A sliver at a column's border may round to either side.
      is === expected[n]! > 0 || (expected[n]! > 0 && expected[n]! < 1e-6) ? [] : [{ row: i, column: n, is }],
    );
    expect(wrong).toEqual([]);
  }
}

const tipLines = (page: Page): Promise<string[]> =>
  page.evaluate(`[...document.querySelectorAll('#tip:not([hidden]) p')].map((p) => p.textContent)`);

describe('the page', () => {
  test('draws what QEMU recorded, for the whole disk and at every zoom', async () => {
    const page = await browser.open(file);
    let rows = await drawnRows(page);
    expect(await view(page)).toEqual({ start: 0, end: SIZE });
    expectDrawn(rows, { start: 0, end: SIZE });
    // Onto the two neighbours at 3 GiB, until they are apart.
    const target = 3 * GIB + 5.5 * MIB;
    for (let i = 0; i < 12; i += 1) {
      const { start, end } = await view(page);
      const [{ left, width, middle }] = rows as [Drawn, ...Drawn[]];
      const x = left + ((target - start) / (end - start)) * width;
      await page.mouse('mouseWheel', Math.round(x), Math.round(middle), { deltaX: 0, deltaY: -200 });
      rows = await drawnRows(page);
      const now = await view(page);
      expect(now.end - now.start).toBeLessThan(end - start);
      expectDrawn(rows, now);
    }
    const { start, end } = await view(page);
    expect(end - start).toBeLessThan(8 * MIB);
    expect(start).toBeLessThan(target);
    expect(end).toBeGreaterThan(target);
    expect(page.complaints).toEqual([]);
    expect(page.requests.map((url) => url.slice(0, 8))).toEqual(['file:///']);
  });

  test('says what is below the pointer, to the byte', async () => {
    const page = await browser.open(file);
    const [first, second] = (await drawnRows(page)) as [Drawn, Drawn];
    const at = ({ left, width }: Drawn, offset: number): number => left + (offset / SIZE) * width;
    await page.mouse('mouseMoved', at(first, GIB + 20 * MIB), first.middle);
    const thin = (text: string): string => text.replaceAll('\u202f', '');
    let [what, which, where, offset] = (await tipLines(page)).map(thin);
    expect([what, which]).toEqual(['40 MiB changed', '#1 → #2']);
    expect(where).toBe(`${GIB} to ${GIB + 40 * MIB}, 40 MiB`);
    const told = Number(/\((\d+)\)/.exec(offset!)![1]);
    expect(Math.abs(told - (GIB + 20 * MIB))).toBeLessThan(SIZE / first.width);
    await page.mouse('mouseMoved', at(second, 4 * GIB), second.middle);
    [what, which, where] = (await tipLines(page)).map(thin);
    expect([what, which, where]).toEqual(['Nothing changed here', '#2 → #3', `0 to ${SIZE}, 7.00 GiB`]);
  });

  test('tells for any column what QEMU recorded there', async () => {
    const page = await browser.open(file);
    const [, , third] = (await drawnRows(page)) as [Drawn, Drawn, Drawn];
    const perColumn = SIZE / third.columns.length;
    const first = Math.floor((2 * GIB) / perColumn);
    let many = 0;
    for (let n = first; n < first + 24; n += 1) {
      const x = Math.ceil(third.left) + n;
      const from = Math.floor(x - third.left) * perColumn;
      const inside = oracle[2]!.filter(([o, length]) => o < from + perColumn && o + length > from);
      if (inside.length === 0) continue;
      await page.mouse('mouseMoved', x, third.middle);
      const [what, , where] = (await tipLines(page)).map((text) => text.replaceAll('\u202f', ''));
      const bytes = inside.reduce((sum, [, length]) => sum + length, 0);
      if (inside.length > 1) many += 1;
      const places = inside.length > 1 ? ` in ${inside.length} places` : '';
      expect(what).toBe(`${formatBytes(bytes)} changed${places}`);
      const [[start], [last, length]] = [inside[0]!, inside.at(-1)!];
      expect(where).toBe(`${start} to ${last + length}, ${formatBytes(last + length - start)}`);
    }
    expect(many).toBeGreaterThan(5);
  });

  test('keys, buttons and drags move the view, and bring it back', async () => {
    const page = await browser.open(file);
    await page.key('+');
    await page.key('+');
    expect(await view(page)).toEqual({ start: (SIZE * 3) / 8, end: (SIZE * 5) / 8 });
    expectDrawn(await drawnRows(page), await view(page));
    const [row] = (await drawnRows(page)) as [Drawn];
    await page.mouse('mousePressed', row.left + 400, row.middle, {
      button: 'left',
      buttons: 1,
      clickCount: 1,
    });
    await page.mouse('mouseMoved', row.left + 400 - row.width / 4, row.middle, {
      button: 'left',
      buttons: 1,
    });
    await page.mouse('mouseReleased', row.left + 400 - row.width / 4, row.middle, { button: 'left' });
    const { start } = await view(page);
    expect(Math.abs(start - (SIZE * 7) / 16)).toBeLessThan(SIZE / row.width);
    await page.key('n');
    await page.key('0');
    expect(await view(page)).toEqual({ start: 0, end: SIZE });
    await page.key('p');
    await page.evaluate(`document.querySelector('[data-do="in"]').click()`);
    await page.key('ArrowRight');
    expect((await view(page)).start).toBeCloseTo(SIZE / 4 + SIZE / 20, -2);
    await page.evaluate(`document.querySelector('[data-do="reset"]').click()`);
    await page.drawn();
    expectDrawn(await drawnRows(page), { start: 0, end: SIZE });
    for (let i = 0; i < 40; i += 1) await page.evaluate(`document.querySelector('[data-do="in"]').click()`);
    const { start: from, end: to } = await view(page);
    expect(to - from).toBe(8 * 64 * KIB);
    expect(page.complaints).toEqual([]);
  });

  test('totals and reasons are in the table, with a picture, also where no script runs', async () => {
    const page = await browser.open(file, { script: false });
    await page.send('Emulation.setScriptExecutionDisabled', { value: false });
    const rows = await page.evaluate<string[]>(
      `[...document.querySelectorAll('tbody tr')].map((row) => row.innerText.replace(/\\s+/g, ' '))`,
    );
    expect(rows).toEqual([
      expect.stringMatching(/^#1 → #2 .* 40.3 MiB 0.56 % in 5 areas$/),
      expect.stringMatching(/^#2 → #3 .* nothing changed$/),
      expect.stringMatching(/^#3 → now .* 18.2 MiB 0.25 % in 60 areas$/),
    ]);
    expect(await page.evaluate(`document.querySelectorAll('svg.strip path').length`)).toBeGreaterThan(2);
    expect(await page.evaluate(`getComputedStyle(document.querySelector('.tools')).display`)).toBe('none');
  });

  test.each([320, 1280, 3840])('fits a window of %i, light and dark', async (width) => {
    const colours = new Set<string>();
    for (const dark of [false, true]) {
      const page = await browser.open(file, { width, dark });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      const rows = await drawnRows(page);
      expectDrawn(rows, { start: 0, end: SIZE });
      for (const row of rows) expect(row.left + row.width).toBeLessThanOrEqual(width);
      colours.add(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
      expect(page.complaints).toEqual([]);
    }
    expect(colours.size).toBe(2);
  });
});

test('hostile names are shown and never run', async () => {
  const evil = `"><img src=x onerror=document.title='run'><script>document.title='run'<`;
  const home = join(folder.path, evil);
  await mkdir(home);
  const image = join(home, `${evil}.qcow2`);
  await qemuImg('create', '-q', '-f', 'qcow2', image, '1M');
  const name = `</script><script>document.title='run'</script><img src=x onerror="document.title='run'">`;
  await qemuImg('bitmap', '-f', 'qcow2', '--add', image, name);
  await qemuImg('bitmap', '-f', 'qcow2', '--add', '--disable', image, `${name}<!--`);
  const target = join(folder.path, 'evil.html');
  expect((await cli('map', image, '--html', target)).code).toBe(0);
  const page = await browser.open(target);
  expect(await page.evaluate('document.title')).toBe(`${evil}.qcow2: changed blocks`);
  expect(await page.evaluate('document.images.length + document.scripts.length')).toBe(2);
  expect(await page.evaluate(`document.querySelector('.point').textContent`)).toBe(name);
  expect(await page.evaluate(`document.querySelector('.why').textContent`)).toContain('does not record');
  expect(page.complaints).toEqual([]);
  expect(page.requests).toHaveLength(1);
});

test('the policy would stop a script that got in', async () => {
  const target = join(folder.path, 'broken-in.html');
  const html = await readFile(file, 'utf8');
  await writeFile(target, html.replace('<main>', `<main><script>document.title='run'</script>`));
  const page = await browser.open(target);
  expect(await page.evaluate('document.title')).toBe('web & mail.qcow2: changed blocks');
  expect(page.complaints.join()).toContain('Content Security Policy');
});

test('a broken chain is told in words, and the command ends with 3 when nothing can be answered', async () => {
  const lost = join(folder.path, 'lost.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', lost, '64M');
  const tracking = new ImageTracking([lost]);
  await tracking.enable();
  for (let i = 0; i < 2; i += 1) await tracking.commit((await tracking.begin()).pit);
  const { bitmaps } = JSON.parse(await qemuImg('info', '--output=json', lost))['format-specific'].data;
  const middle = (bitmaps as { name: string }[]).find(({ name }) => name.split('.')[2] === '2')!;
  await qemuImg('bitmap', '-f', 'qcow2', '--remove', lost, middle.name);
  const target = join(folder.path, 'lost.html');
  const { code, stderr } = await cli('map', lost, '--html', target);
  expect(code).toBe(0);
  expect(stderr).toContain('cannot be answered');
  const page = await browser.open(target);
  const rows = await page.evaluate<string[]>(
    `[...document.querySelectorAll('tbody tr')].map((row) => row.className + ' ' + row.innerText.replace(/\\s+/g, ' '))`,
  );
  expect(rows).toEqual([
    expect.stringMatching(/^unknown #1 → #3 .*Not known: .*MISSING.*not known$/),
    expect.stringMatching(/^known #3 → now /),
  ]);
  const raw = join(folder.path, 'plain.raw');
  await qemuImg('create', '-q', '-f', 'raw', raw, '1M');
  expect((await cli('map', raw, '--format', 'raw', '--html', join(folder.path, 'raw.html'))).code).toBe(3);
  await expect(stat(join(folder.path, 'raw.html'))).rejects.toThrow();
});

test('a disk of a running QEMU has its page', async () => {
  const image = join(folder.path, 'live.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '256M');
  await new ImageTracking([image]).enable();
  await using daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  await daemon.exportWritable('a');
  await daemon.guestIo('a', 'write 16M 1M');
  const target = join(folder.path, 'live.html');
  const name = `qmp:${daemon.process.file('qmp.sock')}#a`;
  const { code, stderr } = await cli('map', name, '--nbd-socket', daemon.nbdPath, '--html', target);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('is in use') });
  const page = await browser.open(target);
  expect(await page.evaluate(`document.querySelector('h1').textContent`)).toBe('a');
  expect(await page.evaluate(`document.querySelector('.amount').textContent`)).toBe('1 MiB');
  expect(await page.evaluate(`document.querySelector('.warnings').textContent`)).toContain('is in use');
  expect(page.complaints).toEqual([]);
});
