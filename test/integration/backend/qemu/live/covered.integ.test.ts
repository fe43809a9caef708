/**
 * Who has the newest data while an overlay of a session stands above an image: whatever state a commit was left in, by a full
 * file system, by another manager or with nobody writing, the overlay goes only when the image has all that it took.
 */
import { execFile } from 'node:child_process';
import { readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { tagOf } from '../../../../../lib/backend/qemu/own/ids.js';
import type { Session } from '../../../../../lib/core/session.js';
import type { BeginVmOptions, Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { cli } from '../../../../helpers/cli.js';
import { eventually } from '../../../../helpers/eventually.js';
import { guestIo, startQemuSystem } from '../../../../helpers/qemuSystem.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const MiB = 2 ** 20;
let folder: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;

const image = (node: string): string => join(folder.path, `${node}.qcow2`);

async function startVm(...nodes: string[]): Promise<void> {
  daemon = await StorageDaemon.start({ disks: nodes.map((node) => ({ node, file: image(node) })) });
  await daemon.exportWritable(...nodes);
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
}
async function stopVm(): Promise<void> {
  await vm.close();
  await daemon.process.terminate();
  await daemon[Symbol.asyncDispose]();
}
const begin = (options: BeginVmOptions = {}): Promise<Session> =>
  vm.begin({ mode: 'overlay', nbdSocket: daemon.nbdPath, scratch: { folder: folder.path }, ...options });
const write = async (node: string, byte: number, mebibyte: number): Promise<void> =>
  void (await daemon.guestIo(node, `write -P ${byte} ${mebibyte}M 1M`, 'flush'));
const holds = (node: string, byte: number, mebibyte: number): Promise<string> =>
  daemon.guestIo(node, `read -P ${byte} ${mebibyte}M 1M`);
const folders = async (): Promise<string[]> =>
  (await readdir(folder.path)).filter((name) => name.startsWith('cbt-'));

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  for (const node of ['a', 'b']) await qemuImg('create', '-q', '-f', 'qcow2', image(node), '64M');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await vm?.close();
  await daemon?.[Symbol.asyncDispose]();
  await folder.remove();
});

/** A VM whose files can be kept from growing, which stands for a full file system. */
async function startLimited(): Promise<void> {
  const program = join(folder.path, 'limited.sh');
  const real = process.env['QEMU_STORAGE_DAEMON'] ?? 'qemu-storage-daemon';
  await writeFile(program, `#!/bin/sh\ntrap '' XFSZ\nexec ${real} "$@"\n`, { mode: 0o700 });
  vi.stubEnv('QEMU_STORAGE_DAEMON', program);
  await startVm('a');
}
const limit = async (bytes: number | 'unlimited'): Promise<void> =>
  void (await run('prlimit', ['--pid', String(daemon.process.child.pid), `--fsize=${bytes}:`]));

/** The commit of disk `index` as the session itself would start it, so slow that it does not end. */
async function startSlowCommit(
  session: Session,
  index: number,
  node: string,
  speed: number,
): Promise<string> {
  const tag = tagOf(session.pit);
  const id = `cbtj-${tag}-${index}`;
  await daemon.process.control.execute('block-commit', {
    'job-id': id,
    device: `cbto-${tag}-${index}`,
    'base-node': node,
    'filter-node-name': `cbtf-${tag}-${index}`,
    'auto-dismiss': false,
    speed,
  });
  return id;
}
async function statusOf(id: string): Promise<string | undefined> {
  const jobs = (await daemon.process.control.execute('query-jobs')) as { id: string; status: string }[];
  return jobs.find((job) => job.id === id)?.status;
}

describe('a commit that was left half-way', () => {
  test('while it runs, what changed up to now is refused', async () => {
    await startVm('a');
    const first = await begin();
    await first.commit();
    const session = await begin();
    for (let at = 0; at < 20; at += 1) await write('a', 7, at);
    const id = await startSlowCommit(session, 0, 'a', 1);
    expect(await statusOf(id)).toBe('running');
    await using disk = await vm.openDisk('a');
    expect(await refusalOf(disk.changes({ from: first.pit }))).toMatchObject({ reason: 'BUSY' });
    expect(await refusalOf(disk.allocated())).toMatchObject({ reason: 'BUSY' });
    expect(await refusalOf(vm.reset())).toMatchObject({ reason: 'BUSY' });
    await daemon.process.control.execute('block-job-set-speed', { device: id, speed: 0 });
    await session.rollback();
    await holds('a', 7, 19);
    expect(Array.from(await (await disk.changes({ from: first.pit })).ranges())).toEqual([0, 20 * MiB]);
  });

  test('ended by another manager without the turn to the image: it is committed all the same', async () => {
    await startVm('a');
    const session = await begin();
    await write('a', 1, 1);
    const id = await startSlowCommit(session, 0, 'a', 0);
    while ((await statusOf(id)) !== 'ready') await new Promise((next) => setTimeout(next, 10));
    await daemon.process.control.execute('block-job-cancel', { device: id });
    while ((await statusOf(id)) !== 'concluded') await new Promise((next) => setTimeout(next, 10));
    await write('a', 2, 2);
    // Whoever wrote the image is not known: the session is no good, what the guest wrote is.
    expect(await refusalOf(session.commit())).toMatchObject({
      message: expect.stringContaining('is broken'),
    });
    await session[Symbol.asyncDispose]();
    expect(await folders()).toEqual([]);
    await holds('a', 1, 1);
    await holds('a', 2, 2);
    await stopVm();
    await startVm('a');
    await holds('a', 1, 1);
    await holds('a', 2, 2);
  });

  test('with nobody writing any more', async () => {
    await startVm('a');
    const session = await begin();
    await write('a', 1, 1);
    await daemon.process.control.execute('block-export-del', { id: 'guest-a', mode: 'hard' });
    await session.commit();
    expect(await folders()).toEqual([]);
    await stopVm();
    await startVm('a');
    await holds('a', 1, 1);
  });
});

test('a broken session that cannot be ended yet is ended when the cause is gone', async () => {
  await startLimited();
  // The image is larger than the overlay gets, and has no room for what the overlay takes.
  for (let at = 32; at < 48; at += 1) await write('a', 6, at);
  const first = await begin();
  await first.commit();
  const session = await begin({ scratch: { folder: folder.path, limitBytes: 4 * MiB } });
  await limit((await stat(image('a'))).size);
  // From the break on the guest may meet the image again, which has no room.
  let written = -1;
  for (let at = 0; at < 6 && session.broken === null; at += 1)
    await write('a', 7, at).then(
      () => {
        written = at;
      },
      () => expect(session.broken).not.toBeNull(),
    );
  await eventually(() => expect(session.broken).not.toBeNull());
  expect(await refusalOf(session.rollback())).toMatchObject({
    message: expect.stringContaining('Nothing is lost'),
  });
  await limit('unlimited');
  await session.rollback();
  expect(await folders()).toEqual([]);
  await holds('a', 7, written);
  const next = await begin();
  expect(next.disks).toMatchObject([{ verdict: 'incremental', base: first.pit }]);
  await next.rollback();
});

test('an image that cannot grow: the overlay stays until there is room, and ends with all that it took', async () => {
  await startLimited();
  const first = await begin();
  await first.commit();
  const session = await begin();
  for (let at = 0; at < 20; at += 1) await write('a', 7, at);
  await limit((await stat(image('a'))).size);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    expect(await refusalOf(session.commit()), `attempt ${attempt}`).toMatchObject({
      message: expect.stringContaining('Nothing is lost'),
    });
    expect(await folders()).toHaveLength(1);
    expect((await cli('doctor', image('a'))).stdout).not.toContain('remove its files');
  }
  await limit('unlimited');
  await write('a', 8, 21);
  await session.commit();
  expect(await folders()).toEqual([]);
  await stopVm();
  await startVm('a');
  await holds('a', 7, 0);
  await holds('a', 7, 19);
  await holds('a', 8, 21);
  await using disk = await vm.openDisk('a');
  expect(Array.from(await (await disk.changes({ from: first.pit })).ranges())).toEqual([
    0,
    20 * MiB,
    21 * MiB,
    MiB,
  ]);
});

test('an overlay whose header leads to another file is not read by doctor', async () => {
  await startVm('a');
  await begin();
  await daemon.process.kill();
  const overlay = join(folder.path, (await folders())[0] ?? '', 'overlay-0.qcow2');
  const secret = join(folder.path, 'secret');
  await writeFile(secret, Buffer.alloc(MiB, 'secret'));
  await rm(overlay);
  const backing = ['-b', image('a'), '-F', 'qcow2', '-o', `data_file=${join(folder.path, 'other')}`];
  await qemuImg('create', '-q', '-f', 'qcow2', ...backing, overlay, '64M');
  await rm(join(folder.path, 'other'));
  await symlink(secret, join(folder.path, 'other'));
  const fixed = await cli('doctor', image('a'), '--fix');
  expect(fixed.stdout).toContain('is not as its session made it');
  expect(fixed.code).toBe(5);
  expect(await folders()).toHaveLength(1);
});

describe('a point in time that nobody committed', () => {
  test('stays recorded while the VM that runs now has the image', async () => {
    await startVm('a');
    const first = await begin({ mode: 'fleece' });
    await first.commit();
    await write('a', 1, 1);
    await begin({ mode: 'fleece' });
    await stopVm();
    await startVm('a');
    await cli('doctor', image('a'), '--fix');
    const next = await begin({ mode: 'fleece' });
    expect(next.disks).toMatchObject([{ verdict: 'incremental', base: first.pit }]);
    await next.rollback();
  });

  test('of a lost history holds nothing up: the next session starts anew', async () => {
    await startVm('a');
    await (await begin()).commit();
    await begin();
    for (let starts = 0; starts < 2; starts += 1) {
      await daemon.process.kill();
      await vm.close();
      await daemon[Symbol.asyncDispose]();
      await startVm('a');
    }
    const next = await begin();
    expect(next.disks).toMatchObject([{ verdict: 'full', reason: 'CRASHED' }]);
    expect(next.warnings.join()).toContain('is in the overlays in');
    await next.commit();
  });

  test('stays recorded until every disk of its session came back', async () => {
    await startVm('a', 'b');
    const first = await begin({ mode: 'fleece' });
    await first.commit();
    await write('b', 1, 1);
    await begin({ mode: 'fleece' });
    await stopVm();
    await startVm('a');
    const without = await begin({ mode: 'fleece' });
    await without.rollback();
    await stopVm();
    await startVm('a', 'b');
    const next = await begin({ mode: 'fleece' });
    expect(next.disks).toMatchObject([{ base: first.pit }, { base: first.pit }]);
    await next.rollback();
    expect(await folders()).toEqual([]);
  });

  test('stays recorded while its disk is unplugged', async () => {
    const disk = (node: string): string[] => [
      '-blockdev',
      `driver=qcow2,node-name=${node},file.driver=file,file.filename=${image(node)}`,
      '-device',
      `virtio-blk-pci,id=v${node},drive=${node}`,
    ];
    await using system = await startQemuSystem([...disk('a'), ...disk('b')]);
    await using guest = await connectVm(system.qmpPath);
    const scratch = { folder: folder.path };
    for (const mode of ['fleece', 'overlay'] as const) {
      const first = await guest.begin({ scratch });
      await first.commit();
      await guestIo(system, '/machine/peripheral/vb/virtio-backend', 'write -P 1 1M 1M');
      const session = await guest.begin({ mode, scratch });
      const gone = system.control.waitEvent(
        ({ event, data }) => event === 'DEVICE_DELETED' && data?.['device'] === 'vb',
      );
      await system.control.execute('device_del', { id: 'vb' });
      // A guest that does not run lets go of a device at its reset.
      await system.control.execute('system_reset');
      await gone;
      const ended = await session.rollback();
      expect(ended.disks.filter(({ error }) => error !== undefined).map(({ disk: name }) => name)).toEqual([
        'vb',
      ]);
      await system.control.execute('device_add', { driver: 'virtio-blk-pci', id: 'vb', drive: 'b' });
      const next = await guest.begin({ scratch });
      expect(next.disks).toMatchObject([{ base: first.pit }, { base: first.pit }]);
      await next.rollback();
      expect(await folders()).toEqual([]);
    }
  });
});
