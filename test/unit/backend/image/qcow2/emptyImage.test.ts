/** Empty images of ours, held against QEMU's own: what it says of them, and that it writes to them without complaint. */
import { link, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EmptyImage, formatEmpty } from '../../../../../lib/backend/image/qcow2/emptyImage.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';

const GIB = 2 ** 30;
let folder: TemporaryFolder;
let file: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  file = join(folder.path, 'new.qcow2');
  await writeFile(file, '');
});
afterEach(() => folder.remove());

async function infoOf(path: string): Promise<Record<string, unknown>> {
  const {
    filename: _,
    'actual-size': __,
    ...info
  } = JSON.parse(await qemuImg('info', '--output=json', '-f', 'qcow2', path)) as Record<string, unknown>;
  return { ...info, children: undefined };
}

describe('an empty image', () => {
  test.each([0, 512, 65_536, 16 * 2 ** 20, 512 * 2 ** 20, 512 * 2 ** 20 + 512, 129 * GIB, 64 * 1024 * GIB])(
    'of %i bytes is what QEMU makes, and takes writes to its end',
    async (sizeBytes) => {
      await formatEmpty(file, { sizeBytes });
      const theirs = join(folder.path, 'theirs.qcow2');
      await qemuImg('create', '-q', '-f', 'qcow2', theirs, String(sizeBytes));
      expect(await infoOf(file)).toEqual(await infoOf(theirs));
      expect(await qemuImg('check', '-f', 'qcow2', file)).toContain('No errors were found');
      expect((await stat(file)).blocks * 512).toBeLessThan(512 * 1024);
      if (sizeBytes === 0) return;
      const last = Math.max(0, sizeBytes - 65_536);
      const length = Math.min(sizeBytes, 65_536);
      await qemuIo(['-f', 'qcow2', file], `write -P 7 ${last} ${length}`, `read -P 7 ${last} ${length}`);
      expect(await qemuImg('check', '-f', 'qcow2', file)).toContain('No errors were found');
    },
  );

  test.each(['qcow2', 'raw', 'parallels'])('stands on a file of format %s', async (format) => {
    const path = join(folder.path, `below, "${'ü'.repeat(90)}".img`);
    await writeFile(path, Buffer.alloc(65_536));
    await formatEmpty(file, { sizeBytes: 65_536, backing: { path, format } });
    expect(await infoOf(file)).toMatchObject({
      'backing-filename': path,
      'backing-filename-format': format,
      'virtual-size': 65_536,
    });
    if (format === 'raw')
      expect(await qemuIo(['-f', 'qcow2', file], 'read -P 0 0 64k')).toContain('read 65536/65536');
  });
});

describe('nothing is written', () => {
  const refused: [string, EmptyImage, RegExp][] = [
    ['sizeBytes', { sizeBytes: 513 }, /sizeBytes is 513, expected a multiple of 512/],
    ['a size above the limit', { sizeBytes: 2 ** 51 + 512 }, /at most 2251799813685248/],
    [
      'a backing name above the limit',
      { sizeBytes: 512, backing: { path: `/${'x'.repeat(1023)}`, format: 'raw' } },
      /at most 1023 bytes/,
    ],
  ];
  test.each(refused)('for %s', async (_, image, why) => {
    expect((await refusalOf(formatEmpty(file, image))).message).toMatch(why);
    expect((await stat(file)).size).toBe(0);
  });

  test('to a file that has something in it, or another name', async () => {
    const other = join(folder.path, 'other');
    await writeFile(other, 'precious');
    expect(await refusalOf(formatEmpty(other, { sizeBytes: 512 }))).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      message: expect.stringContaining('it has 8 bytes and 1 name(s)'),
    });
    await link(file, join(folder.path, 'second'));
    expect((await refusalOf(formatEmpty(file, { sizeBytes: 512 }))).message).toContain('0 bytes and 2 name');
    expect(await readFile(other, 'utf8')).toBe('precious');
  });

  test('through a symbolic link, to a folder, or where there is none', async () => {
    const linked = join(folder.path, 'linked');
    await symlink(file, linked);
    await expect(formatEmpty(linked, { sizeBytes: 512 })).rejects.toMatchObject({ code: 'ELOOP' });
    await mkdir(join(folder.path, 'folder'));
    await expect(formatEmpty(join(folder.path, 'folder'), { sizeBytes: 512 })).rejects.toMatchObject({
      code: 'EISDIR',
    });
    await expect(formatEmpty(join(folder.path, 'none'), { sizeBytes: 512 })).rejects.toMatchObject({
      code: 'ENOENT',
    });
    expect((await stat(file)).size).toBe(0);
  });
});
