/** A disk is its history, not its name: what is restored must be what the disk held, whatever its files were called meanwhile. */
import { readFile, rename, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import type { DiskRun } from '../../../lib/backup/manifest.js';
import { restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';

let folder: TemporaryFolder;
let a: string;
let b: string;
let to: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  [a, b, to] = ['a.qcow2', 'b.qcow2', 'backups'].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ];
  for (const [image, pattern] of [
    [a, 0x11],
    [b, 0x22],
  ] as const) {
    await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
    await write(image, `write -P ${pattern} 0 2M`);
  }
});
afterEach(() => folder.remove());

const write = (image: string, ...commands: string[]) => qemuIo(['-f', 'qcow2', image], ...commands);
async function exchange(): Promise<void> {
  const third = join(folder.path, 'third');
  await rename(a, third);
  await rename(b, a);
  await rename(third, b);
}
async function run(images = [a, b], options: { full?: boolean } = {}): Promise<DiskRun[]> {
  const { disks } = await backup(imagesSource(images), { to, ...options });
  return disks.map((disk) => {
    if ('error' in disk) throw disk.error;
    return disk;
  });
}
async function content(image: string): Promise<Buffer> {
  const raw = join(folder.path, 'content.raw');
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', image, raw);
  return readFile(raw);
}
/** What the newest run says of a disk, held against the disk itself. */
async function requireRestores(image: string): Promise<void> {
  const file = join(folder.path, 'restored.raw');
  await restore({ from: to, disk: image, to: file, force: true });
  expect((await readFile(file)).equals(await content(image)), image).toBe(true);
}

describe('images that exchange their names', () => {
  test('each restores as it was, in every run', async () => {
    await new ImageTracking([a, b]).enable();
    await run();
    await exchange();
    await write(a, 'write -P 0x33 3M 64k');
    await run();
    for (const image of [a, b]) await requireRestores(image);
    expect((await verify({ from: to })).problems).toEqual([]);
  });
});

describe('a base whose files are not as they were written', () => {
  test('is not built on: the next run is full and says why, and verify sees it without reading data', async () => {
    await run([a]);
    await write(a, 'write -P 0x44 1M 64k');
    await run([a]);
    await truncate(join(to, 'a-000001.qcow2'), 100_000);
    const shallow = await verify({ from: to, depth: 'manifest' });
    expect(shallow.problems).toMatchObject([{ run: 1, error: { code: 'ERR_CBT_CORRUPT_IMAGE' } }]);
    expect(await run([a])).toMatchObject([
      { verdict: 'full', message: expect.stringContaining('a-000001.qcow2 has 100000 bytes') },
    ]);
    await requireRestores(a);
  });
});
