/** The mark of a restore: nobody’s file is lost to it, and whatever lies in its place and is not read as it is doubt, never the word “whole”. */
import { execFileSync } from 'node:child_process';
import {
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  findRestoring,
  markRestoring,
  requireWhole,
  unmarkRestoring,
} from '../../../lib/host/restoringMark.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const RUN = { from: '/backups', run: 1, pit: '3f1b8a1e-7c55-4f0e-9d4e-1d2c3b4a5f60', disk: 'vda' };

let folder: TemporaryFolder;
let image: string;
let mark: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'disk.raw');
  mark = `${image}.restoring`;
  await writeFile(image, 'data');
});
afterEach(() => folder.remove());

const REFUSED = { code: 'ERR_CBT_INVALID_ARGUMENT', recovery: 'fix' };

test('it lies there from its making to its end, and is replaced by the next', async () => {
  await requireWhole(image);
  expect(await markRestoring(image, RUN)).toBe(true);
  expect(await refusalOf(requireWhole(image))).toMatchObject({
    ...REFUSED,
    message: expect.stringContaining('--pit 1 --disk vda'),
  });
  expect(await markRestoring(image, { ...RUN, run: 2 })).toBe(true);
  expect(await findRestoring(image)).toMatchObject({ restoring: { run: 2 } });
  await unmarkRestoring(image);
  await requireWhole(image);
  await unmarkRestoring(image);
});

test('the command that it tells is one to type as it stands, whatever stands in the mark', async () => {
  const from = `/a'b"; touch ${join(folder.path, 'stranger')}; $(touch ${join(folder.path, 'another')})`;
  expect(await markRestoring(image, { ...RUN, from })).toBe(true);
  const { advice } = (await findRestoring(image)) ?? { advice: '' };
  const command = /`qemu-cbt (.*)`\); where/s.exec(advice)?.[1] ?? '';
  const words = execFileSync('/bin/sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' });
  expect(words.split('\n').slice(0, 3)).toEqual(['restore', '--from', from]);
  expect((await readdir(folder.path)).sort()).toEqual(['disk.raw', 'disk.raw.restoring']);
});

const LIES: Record<string, () => Promise<unknown>> = {
  'text of a stranger': () => writeFile(mark, 'my notes'),
  'an empty file': () => writeFile(mark, ''),
  'JSON of a stranger': () => writeFile(mark, '{}'),
  'more than a mark has': () => writeFile(mark, ' '.repeat(20_000)),
  'a mark of a later version': async () => {
    await markRestoring(image, RUN);
    await writeFile(mark, JSON.stringify({ ...JSON.parse(await readFile(mark, 'utf8')), more: 1 }));
  },
  'a link': () => symlink('elsewhere', mark),
  'a folder': () => mkdir(mark),
  'a FIFO': async () => execFileSync('mkfifo', [mark]),
};

test.each(Object.keys(LIES))('%s in its place is doubt, stays, and keeps a restore away', async (what) => {
  await LIES[what]?.();
  const before = await lookAt();
  const refused = await refusalOf(requireWhole(image));
  expect(refused).toMatchObject(REFUSED);
  expect(refused.message).toContain(`remove ${mark}`);
  expect(await refusalOf(markRestoring(image, RUN))).toMatchObject(REFUSED);
  await unmarkRestoring(image);
  expect(await lookAt()).toEqual(before);
});

/** Which file it is, and what it holds. */
async function lookAt(): Promise<unknown> {
  const read = await stat(mark).catch(() => null);
  return { ino: read?.ino, text: read?.isFile() ? await readFile(mark, 'utf8') : null };
}

test('one of another file is doubt, whoever was copied, renamed or replaced; the restore run again ends it', async () => {
  await markRestoring(image, RUN);
  const other = join(folder.path, 'other.raw');
  await copyFile(image, other);
  await copyFile(mark, `${other}.restoring`);
  const refused = await refusalOf(requireWhole(other));
  expect(refused).toMatchObject(REFUSED);
  expect(refused.message).toMatch(/mark of another file.*run the restore again.*--onto .*other\.raw/);
  // Not of this file: it stays.
  await unmarkRestoring(other);
  await refusalOf(requireWhole(other));
  await rename(other, image);
  expect(await refusalOf(requireWhole(image))).toMatchObject(REFUSED);
  expect(await markRestoring(image, RUN)).toBe(true);
  await unmarkRestoring(image);
  await requireWhole(image);
});

test('that it is gone lasts through a loss of power', async () => {
  await markRestoring(image, RUN);
  await using handle = await open(folder.path);
  const { ino } = await handle.stat();
  const synced: number[] = [];
  const sync = vi.spyOn(Object.getPrototypeOf(handle), 'sync').mockImplementation(async function (
    this: typeof handle,
  ) {
    synced.push((await this.stat()).ino);
  });
  await unmarkRestoring(image);
  sync.mockRestore();
  expect(synced).toContain(ino);
});

test('nothing can lie beside a name that leaves no room for it', async () => {
  const long = join(folder.path, 'x'.repeat(250));
  await writeFile(long, '');
  await requireWhole(long);
  expect(await markRestoring(long, RUN)).toBe(false);
  await unmarkRestoring(long);
  await rm(long);
});
