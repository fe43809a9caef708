/** A caller's slip is the caller's: it is refused before anything is sent, and nobody else on the same QEMU notices. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup, vmSource } from '../../../../lib/backup/index.js';
import type { BeginVmOptions, Vm } from '../../../../lib/core/vm.js';
import { connectVm } from '../../../../lib/host/vm.js';
import { findVmLeftovers } from '../../../../lib/host/vmLeftovers.js';
import { qemuImg } from '../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';

const CLUSTER = 65_536;

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  const disks = ['a', 'b'].map((node) => ({ node, file: join(folder.path, `${node}.qcow2`) }));
  for (const { file } of disks) await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
  daemon = await StorageDaemon.start({ disks });
  await daemon.exportWritable('a', 'b');
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
});
afterEach(async () => {
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const slip = (options: object): BeginVmOptions => options as BeginVmOptions;
const invalid = (message: RegExp) => ({
  code: 'ERR_CBT_INVALID_ARGUMENT',
  message: expect.stringMatching(message),
});

test('a controller in place of a signal harms no session of another part of the program', async () => {
  await using other = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
  const session = await other.begin({ scratch: { folder: folder.path } });
  const controller = new AbortController() as unknown as AbortSignal;
  for (const call of [
    () => vm.disks({ signal: controller }),
    () => vm.facts({ signal: controller }),
    () => vm.begin({ signal: controller }),
    () => vm.openDisk('a', { signal: controller }),
    () => session.rollback({ signal: controller }),
  ])
    await expect(call()).rejects.toMatchObject(invalid(/the controller’s \.signal/));
  await session.check();
  expect(await other.disks()).toHaveLength(2);
  await session.commit();
});

describe('what begin is told', () => {
  test.each([
    [{ disk: ['a'] }, /no option "disk"/],
    [{ disks: 'a' }, /disks is "a"/],
    [{ disks: [] }, /disks is "an empty list"/],
    [{ mode: 'bogus' }, /mode is "bogus", expected one of fleece, overlay/],
    [{ quiesce: true }, /quiesce/],
    [{ quiesce: {} }, /quiesce\.agentSocket is undefined/],
    [{ detached: 'no' }, /detached is "no"/],
    [{ scratch: '/tmp' }, /scratch/],
    [{ scratch: { folder: 5 } }, /scratch\.folder is 5/],
    ...[0, 1, -1, Number.NaN, 1.5].map(
      (limitBytes) => [{ scratch: { limitBytes } }, /scratch\.limitBytes is/] as const,
    ),
  ] as const)('%j is refused', async (options, message) => {
    await expect(vm.begin(slip(options))).rejects.toMatchObject(invalid(message));
    expect(await findVmLeftovers(daemon.process.qmpPath)).toEqual([]);
  });

  test('a limit that is less than a cluster for each disk is refused, and nothing is left', async () => {
    const scratch = { folder: folder.path, limitBytes: CLUSTER };
    await expect(vm.begin({ scratch })).rejects.toMatchObject(
      invalid(/limitBytes is 65536, .*each of 2 disks/),
    );
    expect(await findVmLeftovers(daemon.process.qmpPath, { scratchFolder: folder.path })).toEqual([]);
  });

  test('the smallest limit is one: the session breaks at it, the guest does not', async () => {
    const scratch = { folder: folder.path, limitBytes: 2 * CLUSTER };
    const session = await vm.begin({ scratch });
    await daemon.guestIo('a', `write -P 7 0 ${64 * CLUSTER}`, 'flush');
    await expect.poll(() => session.broken, { timeout: 20_000 }).not.toBeNull();
    await session.rollback();
    await daemon.guestIo('a', `read -P 7 0 ${64 * CLUSTER}`);
  });
});

test('an odd threshold on a node of somebody’s keeps nobody from the rest', async () => {
  const { control } = daemon.process;
  const nodes = (await control.execute('query-named-block-nodes', { flat: true })) as {
    'node-name': string;
    drv: string;
  }[];
  const file = nodes.find(({ drv }) => drv === 'file')?.['node-name'];
  await control.execute('block-set-write-threshold', { 'node-name': file, 'write-threshold': -1 });
  expect(await vm.disks()).toHaveLength(2);
  expect(await findVmLeftovers(daemon.process.qmpPath)).toEqual([]);
});

describe('what a backup is told', () => {
  test.each([
    [{ jobs: Number.NaN }, /jobs is NaN/],
    [{ jobs: 'x' }, /jobs is "x"/],
    [{ jobs: 0 }, /jobs is 0, expected a whole number from 1 to 16/],
    [{ bytesPerSecond: 0 }, /bytesPerSecond is 0/],
    [{ bytesPerSecond: -5 }, /bytesPerSecond is -5/],
    [{ to: '' }, /to is ""/],
    [{ to: undefined }, /to is undefined/],
    [{ disks: ['a'] }, /backup has no option "disks"/],
    [{ full: 'no' }, /full is "no"/],
    [{ onProgress: {} }, /onProgress is Object/],
  ])('%j is refused before a session is begun', async (options, message) => {
    const to = join(folder.path, 'backups');
    const call = backup(vmSource(vm), { to, ...options } as Parameters<typeof backup>[1]);
    await expect(call).rejects.toMatchObject(invalid(message));
    expect((await vm.openDisk('a').then((disk) => disk.pits())).state).toBe('untracked');
  });

  test('what is no source is refused', async () => {
    const call = backup(vm as unknown as Parameters<typeof backup>[0], { to: join(folder.path, 'backups') });
    await expect(call).rejects.toMatchObject(invalid(/source is .*vmSource/));
  });
});
