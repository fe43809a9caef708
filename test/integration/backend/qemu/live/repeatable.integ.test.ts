/** Mendings that fail for a reason outside, and are done when it is gone: nothing that they need is lost meanwhile, and what to do is said. */
import { execFile } from 'node:child_process';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BeginVmOptions, Vm } from '../../../../../lib/core/vm.js';
import { ImageTracking } from '../../../../../lib/host/imageTracking.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { cli } from '../../../../helpers/cli.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { type DaemonOptions, StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const MiB = 2 ** 20;
let folder: TemporaryFolder;
let image: string;
let daemon: StorageDaemon;
let vm: Vm;
async function startVm(options: DaemonOptions = {}): Promise<void> {
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }], ...options });
  await daemon.exportWritable('a');
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
}
async function stopVm(how: 'terminate' | 'kill'): Promise<void> {
  await daemon.process[how]();
  await vm.close();
  await daemon[Symbol.asyncDispose]();
}
const begin = (options: BeginVmOptions = {}) =>
  vm.begin({ nbdSocket: daemon.nbdPath, scratch: { folder: folder.path }, ...options });
const write = (byte: number, mebibyte: number): Promise<string> =>
  daemon.guestIo('a', `write -P ${byte} ${mebibyte}M 1M`, 'flush');
const folders = async (): Promise<string[]> =>
  (await readdir(folder.path)).filter((name) => /^cbt-\w{6}$/.test(name));
const changedSince = async (from: string): Promise<number[]> => {
  await using disk = await openDisk(image);
  return Array.from(await (await disk.changes({ from })).ranges());
};

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

test('a commit back that cannot even mark the bitmaps: what to do is said, and no change is missing', async () => {
  const program = join(folder.path, 'limited.sh');
  const real = process.env['QEMU_STORAGE_DAEMON'] ?? 'qemu-storage-daemon';
  await writeFile(program, `#!/bin/sh\ntrap '' XFSZ\nexec ${real} "$@"\n`, { mode: 0o700 });
  vi.stubEnv('QEMU_STORAGE_DAEMON', program);
  await startVm();
  const limit = (bytes: number | 'unlimited'): Promise<unknown> =>
    run('prlimit', ['--pid', String(daemon.process.pid), `--fsize=${bytes}:`]);
  const first = await begin();
  await first.commit();
  const session = await begin({ mode: 'overlay' });
  await write(7, 1);
  // No byte of any file can be written: QEMU cannot say in the image that its bitmaps are in use.
  for (const space of [1, 'unlimited'] as const) {
    await limit(space);
    expect(await refusalOf(session.commit()), String(space)).toMatchObject({
      message: expect.stringMatching(/Nothing is lost.*stop the VM.*doctor --fix/),
    });
  }
  // QEMU will not write to the image before it is started anew; the guest goes on.
  await write(8, 2);
  await stopVm('terminate');
  expect(await cli('doctor', image, '--fix')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('bring the overlays’ data into the images'),
  });
  expect(await folders()).toEqual([]);
  expect(await changedSince(first.pit)).toEqual([MiB, 2 * MiB]);
  const raw = join(folder.path, 'raw');
  await qemuImg('convert', '-O', 'raw', image, raw);
  const bytes = await readFile(raw);
  for (const [byte, at] of [
    [7, 1],
    [8, 2],
  ] as const)
    expect(bytes.subarray(at * MiB, (at + 1) * MiB).every((b) => b === byte)).toBe(true);
});

test('an encrypted image whose key is not here: its session is ended by the next one of its VM', async () => {
  const secret = join(folder.path, 'key');
  await writeFile(secret, 'open sesame');
  const object = `secret,id=key,file=${secret}`;
  await rm(image);
  const encrypted = ['encrypt.format=luks', 'encrypt.key-secret=key', 'encrypt.iter-time=10'];
  await untilMeasured(() =>
    qemuImg('create', '-q', '--object', object, '-f', 'qcow2', '-o', encrypted.join(','), image, '16M'),
  );
  const encrypt = { format: 'luks', 'key-secret': 'key' };
  const start = (): Promise<void> =>
    startVm({ args: ['--object', object], disks: [{ node: 'a', file: image, options: { encrypt } }] });
  await start();
  const first = await begin();
  await first.commit();
  await write(7, 1);
  const open = await begin();
  await stopVm('terminate');
  const fixed = await cli('doctor', image, '--fix');
  expect(fixed.code).toBe(5);
  expect(fixed.stdout).toMatch(/FAILED .*Ask the QEMU that has the key/);
  expect(await folders()).toHaveLength(1);
  await start();
  const next = await begin();
  expect(next.disks).toMatchObject([{ verdict: 'incremental', base: first.pit }]);
  expect(next.pit).not.toBe(open.pit);
  await next.commit();
  expect(await folders()).toEqual([]);
});

/** QEMU measures how fast the machine makes keys, and gives up where the kernel's clock of its thread stood still meanwhile. */
async function untilMeasured(create: () => Promise<unknown>): Promise<void> {
  for (let left = 10; ; left--)
    try {
      await create();
      return;
    } catch (error) {
      if (left === 0 || !/Unable to get accurate CPU usage/.test(String(error))) throw error;
    }
}

describe('doctor names every folder of a session', () => {
  beforeEach(async () => {
    await startVm();
    await (await begin()).commit();
  });

  test('whose image was moved since: nothing is done, and all is well when it is back', async () => {
    await begin({ mode: 'overlay' });
    await write(7, 1);
    await stopVm('kill');
    const moved = join(folder.path, 'moved.qcow2');
    await rename(image, moved);
    const seen = await cli('doctor', moved, '--fix');
    expect(seen.code).toBe(5);
    const [name = ''] = await folders();
    expect(seen.stdout).toContain(join(folder.path, name));
    expect(seen.stdout).toContain(image);
    await rename(moved, image);
    expect(await cli('doctor', image, '--fix')).toMatchObject({ code: 0 });
    const raw = join(folder.path, 'raw');
    await qemuImg('convert', '-O', 'raw', image, raw);
    expect((await readFile(raw)).subarray(MiB, 2 * MiB).every((byte) => byte === 7)).toBe(true);
  });

  test('whose point in time may be on an image that is away: the record stays', async () => {
    await begin();
    await stopVm('terminate');
    const moved = join(folder.path, 'moved.qcow2');
    await rename(image, moved);
    const seen = await cli('doctor', moved, '--fix');
    expect(seen).toMatchObject({ code: 5, stdout: expect.stringContaining('are not here') });
    expect(await folders()).toHaveLength(1);
    await rename(moved, image);
    expect(await cli('doctor', image, '--fix')).toMatchObject({ code: 0 });
    expect(await folders()).toEqual([]);
  });

  test('whose record is gone, with the overlays that it has', async () => {
    await begin({ mode: 'overlay' });
    await write(7, 1);
    await stopVm('kill');
    const [name = ''] = await folders();
    await rm(join(folder.path, name, 'session.json'));
    for (const asked of [image, folder.path]) {
      const seen = await cli('doctor', asked, '--fix');
      expect(seen.code).toBe(5);
      expect(seen.stdout).toContain(join(folder.path, name));
      expect(seen.stdout).toContain('no record that can be believed');
    }
    expect(await folders()).toEqual([name]);
    // What it has would be missing in a backup.
    await expect(new ImageTracking([image]).begin()).rejects.toMatchObject({
      reason: 'BUSY',
      message: expect.stringContaining(join(folder.path, name)),
    });
    await qemuImg('commit', '-q', '-f', 'qcow2', join(folder.path, name, 'overlay-0.qcow2'));
    await rm(join(folder.path, name), { recursive: true });
    expect(await new ImageTracking([image]).begin()).toMatchObject({ disks: [{ disk: image }] });
  });
});
