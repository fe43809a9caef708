/**
 * Points in time on a disk whose VM moves to a second QEMU process on the same machine, both over the same image: the first
 * hands the bitmaps over through the file, or, with `dirty-bitmaps`, in the migration stream.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CbtError } from '../../../../../lib/core/errors.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import type { QemuProcess } from '../../../../helpers/qemuProcess.js';
import { guestIo, hmp, startQemuSystem } from '../../../../helpers/qemuSystem.js';
import { makeTemporaryFolder, qemuImg, type TemporaryFolder } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';

const MIB = 2 ** 20;
const DISK = '/machine/peripheral/disk/virtio-backend';

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, 'a.qcow2'), '64M');
});
afterEach(() => folder.remove());

function startVm(...more: string[]): Promise<QemuProcess> {
  const file = { driver: 'file', filename: join(folder.path, 'a.qcow2') };
  const blockdev = JSON.stringify({ driver: 'qcow2', 'node-name': 'a', file, discard: 'unmap' });
  return startQemuSystem(['-blockdev', blockdev, '-device', 'virtio-blk-pci,id=disk,drive=a', ...more]);
}

async function withVm<T>(process: QemuProcess, use: (vm: Vm) => Promise<T>): Promise<T> {
  await using vm = await connectVm(process.qmpPath);
  return await use(vm);
}

async function migrate(from: QemuProcess, to: QemuProcess, inStream: boolean): Promise<void> {
  const uri = `unix:${to.file('migration')}`;
  if (inStream) {
    const capabilities = [{ capability: 'dirty-bitmaps', state: true }];
    for (const side of [from, to]) await side.control.execute('migrate-set-capabilities', { capabilities });
  }
  await to.control.execute('migrate-incoming', { uri });
  for (const side of [from, to]) {
    const capabilities = [{ capability: 'events', state: true }];
    await side.control.execute('migrate-set-capabilities', { capabilities });
  }
  const done = [from, to].map((side) =>
    side.control.waitEvent(
      ({ event, data }) =>
        event === 'MIGRATION' && ['completed', 'failed'].includes(String(data?.['status'])),
      { timeoutMs: 30_000 },
    ),
  );
  await from.control.execute('migrate', { uri });
  for (const { data } of await Promise.all(done)) expect(data).toMatchObject({ status: 'completed' });
}

describe('migration to a second QEMU', () => {
  test.each([
    ['through the image', false],
    ['in the stream', true],
  ])(
    'bitmaps handed over %s: every point answers, and the next increment starts where it should',
    async (_, inStream) => {
      await using source = await startVm();
      await guestIo(source, DISK, 'write -P 1 0 1M');
      const scratch = { folder: folder.path };
      const points = await withVm(source, async (vm) => {
        const first = await vm.begin({ scratch });
        await first.commit();
        await guestIo(source, DISK, 'write -P 2 4M 64k');
        const second = await vm.begin({ scratch });
        await second.commit();
        await guestIo(source, DISK, 'write -P 3 8M 64k');
        return [first.pit, second.pit] as const;
      });
      await using target = await startVm('-incoming', 'defer');
      await migrate(source, target, inStream);
      // The image is the second one's now; on the first nothing can be tracked any more.
      await withVm(source, async (vm) => {
        expect(await refusalOf(vm.begin({ scratch }))).toBeInstanceOf(CbtError);
        expect(await refusalOf(vm.openDisk('a'))).toMatchObject({
          code: 'ERR_CBT_UNSUPPORTED',
          message: expect.stringContaining('another QEMU has the disk'),
        });
      });
      await source.terminate();
      // From QEMU 10 on the image is taken over when the guest goes on, not before.
      await target.control.execute('cont');
      await guestIo(target, DISK, 'write -P 4 16M 64k');
      await withVm(target, async (vm) => {
        await using session = await vm.begin({ scratch });
        expect(session.disks).toMatchObject([{ verdict: 'incremental', base: points[1] }]);
        const disk = await session.openDisk(session.disks[0]!.disk);
        const changed = async (from: string) => Array.from(await (await disk.changes({ from })).ranges());
        const since = [8 * MIB, 65_536, 16 * MIB, 65_536];
        expect(await changed(points[1])).toEqual(since);
        expect(await changed(points[0])).toEqual([4 * MIB, 65_536, ...since]);
      });
    },
  );
});

describe.each(['fleece', 'overlay'] as const)('while a session is open, %s', (mode) => {
  const scratch = () => ({ folder: folder.path });

  test('the guest is not migrated away, nor saved; afterwards it is', async () => {
    await using source = await startVm();
    await using vm = await connectVm(source.qmpPath);
    const first = await vm.begin({ scratch: scratch() });
    await first.commit();
    const session = await vm.begin({ mode, scratch: scratch() });
    await using target = await startVm('-incoming', 'defer');
    const uri = `unix:${target.file('refused')}`;
    await target.control.execute('migrate-incoming', { uri });
    await expect(source.control.execute('migrate', { uri })).rejects.toThrow('not support live migration');
    expect(await hmp(source, 'savevm x')).toContain('does not support live migration');
    await guestIo(source, DISK, 'write -P 2 4M 64k');
    await session.check();
    await session.commit();
    await using second = await startVm('-incoming', 'defer');
    await target.terminate();
    await migrate(source, second, false);
    await source.terminate();
    await second.control.execute('cont');
    await withVm(second, async (moved) => {
      await using next = await moved.begin({ scratch: scratch() });
      expect(next.disks).toMatchObject([{ verdict: 'incremental', base: session.pit }]);
    });
  });

  test('a QEMU that must stay migratable: overlay mode is refused, a fleece session knows that the guest is gone', async () => {
    await using source = await startVm('-only-migratable');
    await using vm = await connectVm(source.qmpPath);
    if (mode === 'overlay') {
      const refused = await refusalOf(vm.begin({ mode, scratch: scratch() }));
      expect(refused).toMatchObject({
        code: 'ERR_CBT_UNSUPPORTED',
        message: expect.stringContaining('only-migratable'),
      });
      expect((await readdir(folder.path)).filter((name) => name.startsWith('cbt-'))).toEqual([]);
      return;
    }
    const session = await vm.begin({ mode, scratch: scratch() });
    await using target = await startVm('-incoming', 'defer');
    await migrate(source, target, false).catch(() => undefined);
    const { status } = (await source.control.execute('query-status')) as { status: string };
    if (status === 'postmigrate') {
      expect(await refusalOf(session.check())).toMatchObject({
        message: expect.stringMatching(/migrated to another QEMU|ended|is gone/),
      });
      expect(session.broken).not.toBeNull();
    } else {
      // QEMU 7.2 finds by itself that the job keeps it from handing the image over.
      await target.terminate();
      await guestIo(source, DISK, 'write -P 2 4M 64k');
      await session.check();
      await session.commit();
    }
  });
});
