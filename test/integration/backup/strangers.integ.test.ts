/** A folder is somebody else's text: only what a valid manifest or a run under way lists is ours; nothing else is removed or opened. */
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { prune } from '../../../lib/backup/prune.js';
import { restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { openDisk } from '../../../lib/host/open.js';
import { ImageHolder } from '../../helpers/imageHolder.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';

let folder: TemporaryFolder;
let image: string;
let to: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'disk.qcow2');
  to = join(folder.path, 'backups');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '1M');
});
afterEach(() => folder.remove());

const write = (...commands: string[]) => qemuIo(['-f', 'qcow2', image], ...commands);
const run = (path = image, more = {}) => backup(imagesSource([path]), { to, ...more });
async function content(file: string): Promise<Buffer> {
  const raw = join(folder.path, 'content.raw');
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', file, raw);
  return readFile(raw);
}
const points = async (path: string): Promise<string[]> => {
  await using disk = await openDisk(path);
  return (await disk.pits()).pits.map(({ pit }) => pit);
};

describe('files of others', () => {
  test('named as layers are stay, whatever is backed up there, the source with them', async () => {
    await mkdir(to);
    const strangers = [
      'web-000001.qcow2',
      'mail-000007.qcow2',
      'disk-000001.qcow2',
      'disk-000002.sums',
      'a-000003.qcow2.part',
    ];
    for (const name of strangers) await copyFile(image, join(to, name));
    const mail = join(to, 'mail-000007.qcow2');
    await new ImageTracking([mail]).enable();
    expect((await run()).run).toBe(4);
    await run(image);
    await run(mail, { adopt: true });
    await prune({ from: to, rules: { last: 1 } });
    expect(await readdir(to)).toEqual(expect.arrayContaining(strangers));
  });

  test('with the names of our own records are neither understood nor replaced', async () => {
    await mkdir(to);
    for (const name of ['pending.json', 'folder.json']) {
      await writeFile(join(to, name), 'mine');
      await refusalOf(run());
      expect(await readFile(join(to, name), 'utf8')).toBe('mine');
      await rm(join(to, name));
    }
  });
});

describe('a layer of the folder', () => {
  test('is never taken for a disk to back up into it, by whatever name', async () => {
    await run();
    const link = join(folder.path, 'link.qcow2');
    await symlink(join(to, 'disk-000001.qcow2'), link);
    for (const path of [join(to, 'disk-000001.qcow2'), link]) {
      const error = await refusalOf(run(path, { adopt: true }));
      expect(error).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
      expect(error.message).toContain('disk-000001.qcow2');
    }
  });
});

describe('a manifest that is damaged, or was moved away', () => {
  test('takes no layer with it that later runs stand on', async () => {
    await new ImageTracking([image]).enable();
    for (const n of [1, 2, 3]) {
      await write(`write -P ${n} ${64 * n}k 128k`);
      await run();
    }
    const before = await content(image);
    const manifest = join(to, 'run-000001.json');
    await writeFile(manifest, (await readFile(manifest, 'utf8')).replace('"zeroBytes": 0', '"zeroBytes": 1'));
    const refused = await refusalOf(prune({ from: to, rules: { last: 1 } }));
    expect(refused.code).toBe('ERR_CBT_CORRUPT_IMAGE');
    await mkdir(join(folder.path, 'away'));
    await rename(manifest, join(folder.path, 'away', basename(manifest)));
    await prune({ from: to, rules: { last: 1 } }).catch(() => undefined);
    await run();
    expect((await stat(join(to, 'disk-000001.qcow2'))).isFile()).toBe(true);
    expect((await content(join(to, 'disk-000003.qcow2'))).equals(before)).toBe(true);
  });
});

describe('what a folder says is under way', () => {
  test('opens no image that the caller did not name, and removes nothing but files of that run', async () => {
    await run();
    const other = join(folder.path, 'other.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', other, '1M');
    const { pit } = await new ImageTracking([other]).enable();
    const files = ['disk-000001.qcow2', '../other.qcow2', 'run-000001.json', 'folder.json', 'x-000009.qcow2'];
    await copyFile(image, join(to, 'x-000009.qcow2'));
    await writeFile(
      join(to, 'pending.json'),
      JSON.stringify({ runs: [{ run: 1, pit, images: [other], files }] }),
    );
    const before = await readdir(to);
    await run();
    expect(await points(other)).toEqual([pit]);
    expect(await readdir(to)).toEqual(expect.arrayContaining(before));
  });

  test('is undone on the image that it names once that image is named', async () => {
    await run();
    const before = await points(image);
    // As a run that was killed leaves it, in the form of before too.
    for (const form of ['now', 'before']) {
      const { pit } = await new ImageTracking([image]).begin();
      const old = { pit, images: [image] };
      const now = { runs: [{ ...old, run: 2, files: ['disk-000002.qcow2.part'] }] };
      await writeFile(join(to, 'pending.json'), JSON.stringify(form === 'now' ? now : old));
      // Of the form of before no file is known; this name is of no run of the folder.
      const part = form === 'now' ? 'disk-000002.qcow2.part' : 'disk-000099.qcow2.part';
      await writeFile(join(to, part), '');
      const { pit: kept, run: number, warnings } = await run();
      expect(warnings).toEqual([]);
      expect(await points(image)).toEqual([...before, kept]);
      before.push(kept ?? '');
      expect((await readdir(to)).includes(part)).toBe(form !== 'now');
      expect(number).toBeGreaterThan(1);
    }
  });

  test('is undone image by image: one that is in use waits for its turn', async () => {
    const other = join(folder.path, 'other.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', other, '1M');
    await backup(imagesSource([image, other]), { to });
    const before = [await points(image), await points(other)];
    const { pit } = await new ImageTracking([image, other]).begin();
    await writeFile(
      join(to, 'pending.json'),
      JSON.stringify({ runs: [{ run: 2, pit, images: [image, other], files: [] }] }),
    );
    const holder = await ImageHolder.hold(other, 'io rw');
    try {
      const { disks } = await backup(imagesSource([image, other]), { to });
      expect(disks).toMatchObject([{ disk: image }, { disk: other, error: { reason: 'BUSY' } }]);
    } finally {
      await holder.release();
    }
    expect(await points(image)).not.toContain(pit);
    expect(await points(other)).toContain(pit);
    await prune({ from: to, rules: { last: 9 }, source: imagesSource([other]) });
    expect(await points(other)).toEqual(before[1]);
    expect(await readdir(to)).not.toContain('pending.json');
  });
});

describe('a damaged mark', () => {
  test('is told by verify, keeps backups away with the way out, and nothing from being restored', async () => {
    await run();
    const mark = join(to, 'folder.json');
    await writeFile(mark, (await readFile(mark, 'utf8')).replace('"inherits": true', '"inherits": false'));
    expect((await verify({ from: to })).problems).toMatchObject([{ run: 0, file: 'folder.json' }]);
    const error = await refusalOf(run());
    expect(error).toMatchObject({ code: 'ERR_CBT_CORRUPT_IMAGE' });
    await restore({ from: to, to: join(folder.path, 'r.raw') });
    // As the message says.
    await rename(mark, join(folder.path, 'mark'));
    expect((await run()).disks).toMatchObject([{ verdict: 'incremental' }]);
    expect((await verify({ from: to })).problems).toEqual([]);
  });
});
