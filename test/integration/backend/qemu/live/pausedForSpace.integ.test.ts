/** A guest that QEMU paused because a write found no space: doctor says where, and lets it go on once there is room. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeBootImage, startBootWriter } from '../../../../helpers/bootWriter.js';
import { cli } from '../../../../helpers/cli.js';
import { eventually } from '../../../../helpers/eventually.js';
import type { QemuProcess } from '../../../../helpers/qemuProcess.js';
import { SmallFileSystem } from '../../../../helpers/smallFileSystem.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const MiB = 2 ** 20;
let folder: TemporaryFolder;
let small: SmallFileSystem;
let vm: QemuProcess | undefined;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  small = await SmallFileSystem.mount(8 * MiB);
});
afterEach(async () => {
  await vm?.[Symbol.asyncDispose]();
  vm = undefined;
  await small[Symbol.asyncDispose]();
  await folder.remove();
});

async function start(image: string, size: string): Promise<QemuProcess> {
  await makeBootImage(folder.path, image, size);
  vm = await startBootWriter(image);
  return vm;
}
const status = async (): Promise<string | undefined> =>
  ((await vm?.control.execute('query-status')) as { status: string } | undefined)?.status;
const paused = (): Promise<void> => eventually(async () => expect(await status()).toBe('io-error'));
const doctor = (...more: string[]) => cli('doctor', `qmp:${vm?.qmpPath}`, '--scratch', small.path, ...more);

test('the image’s own file system: told with its room, and mended only once there is some', async () => {
  const { control } = await start(small.file('a.qcow2'), '64M');
  await small.fill(3 * MiB);
  await control.execute('cont');
  await paused();
  const seen = await doctor();
  expect(seen.code).toBe(5);
  expect(seen.stdout).toMatch(
    /the VM is paused: a write of drive0 found no space: .*small-.* bytes free \(.*a\.qcow2\)/,
  );
  expect(seen.stdout).toContain('make room there');
  expect((await doctor('--fix')).code).toBe(5);
  expect(await status()).toBe('io-error');

  await small.empty();
  const told = await doctor();
  expect(told.stdout).toMatch(/there is room now.*--fix would: let the VM go on/s);
  expect(await status()).toBe('io-error');
  expect((await doctor('--fix')).stdout).toContain('fixed');
  // It writes on, and is soon there again.
  await paused();
  expect(await small.freeBytes()).toBeLessThan(MiB);
});

test('a session whose overlay fills its file system is ended first; the guest’s writes are in the image', async () => {
  const image = join(folder.path, 'a.qcow2');
  const { control } = await start(image, '32M');
  expect((await cli('enable', '--vm', vm?.qmpPath ?? '')).code).toBe(0);
  const scratch = ['--scratch', small.path, '--scratch-unwatched'];
  expect((await cli('begin', '--vm', vm?.qmpPath ?? '', '--mode', 'overlay', ...scratch)).code).toBe(0);
  await control.execute('cont');
  await paused();
  const seen = await doctor();
  expect(seen.stdout).toMatch(
    /of session [0-9a-f]+….*--fix would: roll back the session .* let the VM go on/s,
  );
  expect((await doctor('--fix')).stdout).toContain('fixed');
  expect(await readdir(small.path)).toEqual([]);
  // The image has room for all of its disk.
  await eventually(async () => expect(await status()).toBe('running'));
});

test('a VM that its owner paused stays paused', async () => {
  const { control } = await start(small.file('a.qcow2'), '64M');
  await control.execute('stop');
  const seen = await doctor('--fix');
  expect(seen.stdout).not.toContain('the VM is paused');
  expect(await status()).not.toBe('running');
});
