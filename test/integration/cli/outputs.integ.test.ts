/** Where the command's output files go: over ordinary files, and never over what is read, what a VM uses, or what is no file. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cli } from '../../helpers/cli.js';
import { ImageHolder } from '../../helpers/imageHolder.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';

/** The images are what they say that they are, with files below. */
const AS = ['--format', 'qcow2'];

let folder: TemporaryFolder;
let base: string;
let top: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  base = join(folder.path, 'base.qcow2');
  top = join(folder.path, 'top.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', base, '4M');
  await qemuIo(['-f', 'qcow2', base], 'write -P 1 0 1M');
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top);
  expect(await cli('enable', top, ...AS)).toMatchObject({ code: 0 });
});
afterEach(() => folder.remove());

const sums = async (): Promise<string[]> =>
  Promise.all(
    [base, top].map(async (image) =>
      createHash('sha256')
        .update(await readFile(image))
        .digest('hex'),
    ),
  );
const file = (name: string): string => join(folder.path, name);

/** The commands that write a file. */
const WRITERS: [string, (to: string) => string[]][] = [
  ['changes --bits', (to) => ['changes', top, ...AS, '--from', '*', '--bits', to]],
  ['map --svg', (to) => ['map', top, ...AS, '--from', '*', '--svg', to]],
  ['map --html', (to) => ['map', top, ...AS, '--html', to]],
];

describe.each(WRITERS)('%s', (_name, argv) => {
  test('makes a file, and replaces an ordinary one', async () => {
    const to = file('out');
    expect(await cli(...argv(to))).toMatchObject({ code: 0 });
    const first = await readFile(to);
    await writeFile(to, 'old');
    expect(await cli(...argv(to))).toMatchObject({ code: 0 });
    expect((await readFile(to)).length).toBe(first.length);
    expect((await readdir(folder.path)).sort()).toEqual(['base.qcow2', 'out', 'top.qcow2']);
  });

  test('leaves the disk that is read, and every layer of it, under any name', async () => {
    await symlink(base, file('link'));
    const before = await sums();
    for (const to of [top, base, file('link')]) {
      const { code, stderr } = await cli(...argv(to));
      expect(stderr).toMatch(/another than/);
      expect(code).toBe(2);
    }
    expect(await sums()).toEqual(before);
  });

  test('leaves an image that a VM uses', async () => {
    const other = file('other.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', other, '1M');
    const { ino } = await stat(other);
    const holder = await ImageHolder.hold(other, 'daemon rw');
    try {
      const { code, stderr } = await cli(...argv(other));
      expect(stderr).toMatch(/BUSY/);
      expect(code).toBe(5);
    } finally {
      await holder.release();
    }
    expect((await stat(other)).ino).toBe(ino);
  });

  test('leaves a device and a folder', async () => {
    await mkdir(file('dir'));
    for (const to of ['/dev/null', file('dir')]) {
      const { code, stderr } = await cli(...argv(to));
      expect(stderr).toMatch(/expected an ordinary file/);
      expect(code).toBe(2);
    }
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
  });
});

test('backup --map-svg leaves a file of its name that a VM uses', async () => {
  const pictures = file('pictures');
  await mkdir(pictures);
  const taken = join(pictures, 'base-000001.svg');
  await qemuImg('create', '-q', '-f', 'qcow2', taken, '1M');
  const holder = await ImageHolder.hold(taken, 'daemon rw');
  try {
    const { code, stderr } = await cli('backup', base, '--to', file('backups'), '--map-svg', pictures);
    expect(stderr).toMatch(/BUSY/);
    expect(code).toBe(5);
  } finally {
    await holder.release();
  }
});
