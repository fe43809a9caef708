/**
 * A backup folder on a file system that runs full: a prune, which is to make room, works there as far as there is room, says
 * what is missing, and leaves every run that is still listed as it was, wherever it was stopped.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { MERGE_NAME } from '../../../lib/backup/mergeJournal.js';
import * as mergeRoom from '../../../lib/backup/mergeRoom.js';
import { prune } from '../../../lib/backup/prune.js';
import { restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import { CbtError } from '../../../lib/core/errors.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { SmallFileSystem, sealFolder } from '../../helpers/smallFileSystem.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

vi.mock('../../../lib/backup/mergeRoom.js', { spy: true });

const run = promisify(execFile);
const KIB = 1024;
let folder: TemporaryFolder;
let small: SmallFileSystem;
let image: string;
let to: string;
/** What each run must restore to. */
const expected = new Map<number, Buffer>();

async function contentOf(file: string): Promise<Buffer> {
  const raw = join(folder.path, 'content');
  await qemuImg('convert', '-O', 'raw', file, raw);
  return readFile(raw);
}
async function takeRun(...commands: string[]): Promise<void> {
  await qemuIo(['-f', 'qcow2', image], ...commands);
  const { run: number } = await backup(imagesSource([image]), { to });
  expected.set(number ?? 0, await contentOf(image));
}

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  small = await SmallFileSystem.mount(16 << 20);
  image = join(folder.path, 'disk.qcow2');
  to = small.file('backups');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
  await takeRun('write -P 1 0 1M');
  await takeRun('write -P 2 512k 1M');
  await takeRun('write -P 3 2M 256k', 'write -z 64k 128k');
  await run('cp', ['-a', to, join(folder.path, 'whole')]);
});
afterEach(async () => {
  vi.resetAllMocks();
  await small[Symbol.asyncDispose]();
  await folder.remove();
});

/** Every run that is listed is sound, and restores to what it was. */
async function expectWhole(from: string, ...runs: number[]): Promise<void> {
  expect((await verify({ from })).problems).toEqual([]);
  const listed = (await BackupFolder.read(from)).runs.map((one) => one.run);
  expect(listed).toEqual(expect.arrayContaining(runs));
  for (const number of listed) {
    const target = join(folder.path, 'restored');
    await rm(target, { force: true });
    await restore({ from, at: { run: number }, to: target });
    expect((await readFile(target)).equals(expected.get(number) ?? Buffer.alloc(0)), `run ${number}`).toBe(
      true,
    );
  }
}
/** The folder as it was, with so much room. */
async function startWith(freeBytes: number): Promise<void> {
  await small.empty();
  await rm(to, { recursive: true });
  await run('cp', ['-a', join(folder.path, 'whole'), to]);
  await small.fill(freeBytes);
}
const tryPrune = (): Promise<CbtError | null> =>
  prune({ from: to, rules: { last: 1 } }).then(
    () => null,
    (error: unknown) => {
      if (error instanceof CbtError) return error;
      throw error;
    },
  );

test('at every fill level a prune is done, or says what it needs; nothing is lost and nothing is left', async () => {
  let [done, refused] = [0, 0];
  for (let free = 0; free <= 3072 * KIB; free += 512 * KIB) {
    await startWith(free);
    const error = await tryPrune();
    if (error === null) done += 1;
    else {
      refused += 1;
      expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
      expect(error.message).toMatch(/make room first|no space left/i);
    }
    const names = await readdir(to);
    expect(names.filter((name) => name === MERGE_NAME || name.endsWith('.part'))).toEqual([]);
    await small.empty();
    await expectWhole(to, 3);
    expect(await tryPrune()).toBeNull();
    await expectWhole(to, 3);
    expect((await BackupFolder.read(to)).runs).toHaveLength(1);
  }
  expect(done).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
});

describe('a merge that met a full disk in the middle, because others took the room', () => {
  test('at every fill level the folder is read and restored, also read-only, and the next prune finishes', async () => {
    vi.mocked(mergeRoom.requireMergeRoom).mockResolvedValue(undefined);
    let begun = 0;
    for (let free = 64 * KIB; free <= 1536 * KIB; free += 192 * KIB) {
      await startWith(free);
      const error = await tryPrune();
      if (error !== null) expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
      if ((await readdir(to)).includes(MERGE_NAME)) begun += 1;
      await expectWhole(to, 3);
      const unseal = await sealFolder(to);
      try {
        await expectWhole(to, 3);
      } finally {
        await unseal();
      }
      await small.empty();
      expect(await tryPrune()).toBeNull();
      await expectWhole(to, 3);
      expect(await readdir(to)).not.toContain(MERGE_NAME);
    }
    expect(begun).toBeGreaterThan(0);
  });
});

test('what needs no room goes first, and may make room for the rest', async () => {
  // A second history of the disk: the first one's newest is only kept as the last of its kind.
  const other = join(folder.path, 'other.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', other, '4M');
  await qemuIo(['-f', 'qcow2', other], 'write -P 9 0 2M');
  const both = imagesSource([image, other]);
  await backup(both, { to: small.file('both') });
  await qemuIo(['-f', 'qcow2', other], 'write -P 8 0 2M');
  await backup(both, { to: small.file('both'), full: true });
  await small.fill();
  // Both runs' disks are full ones: the first run's layers are simply removed, with not one byte to write.
  const pruned = await prune({ from: small.file('both'), rules: { last: 1 } });
  expect(pruned.layers.map(({ action }) => action)).toEqual(['removed', 'removed']);
  expect(await small.freeBytes()).toBeGreaterThan(2 << 20);
  expect((await verify({ from: small.file('both') })).problems).toEqual([]);
});
