/** A VM whose drives change places, are pulled out, or whose QEMU dies: each disk goes on as what it is. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BackupResult, backup } from '../../../lib/backup/backup.js';
import type { BackupOptions } from '../../../lib/backup/backupOptions.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import { vmSource } from '../../../lib/backup/vmSource.js';
import { connectVm } from '../../../lib/host/vm.js';
import type { QemuProcess } from '../../helpers/qemuProcess.js';
import { guestIo, startQemuSystem } from '../../helpers/qemuSystem.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';

const UUID = '33333333-3333-4333-8333-333333333333';

let folder: TemporaryFolder;
let to: string;
let vm: QemuProcess | null = null;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  to = join(folder.path, 'backups');
  for (const [name, pattern] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    await qemuImg('create', '-q', '-f', 'qcow2', image(name), '4M');
    await qemuIo(['-f', 'qcow2', image(name)], `write -P ${pattern} 0 1M`);
  }
});
afterEach(async () => {
  await vm?.[Symbol.asyncDispose]();
  vm = null;
  await folder.remove();
});

const image = (name: string): string => join(folder.path, `${name}.qcow2`);

async function start(...names: string[]): Promise<QemuProcess> {
  const drives = names.flatMap((name, index) => [
    '-drive',
    `id=drive${index},if=none,format=qcow2,file=${image(name)}`,
    '-device',
    `scsi-hd,id=disk${index},drive=drive${index},bus=scsi0.0`,
  ]);
  vm = await startQemuSystem(['-uuid', UUID, '-device', 'virtio-scsi-pci,id=scsi0', ...drives]);
  return vm;
}
async function stop(how: 'terminate' | 'kill'): Promise<void> {
  await vm?.[how]();
  await vm?.[Symbol.asyncDispose]();
  vm = null;
}
async function run(options: Partial<BackupOptions> = {}): Promise<BackupResult> {
  await using connected = await connectVm(vm?.file('qmp.sock') ?? '');
  const source = vmSource(connected, { scratch: { folder: folder.path } });
  return await backup(source, { to, ...options });
}
async function content(path: string, format: string): Promise<Buffer> {
  const raw = join(folder.path, 'content.raw');
  await qemuImg('convert', '-U', '-f', format, '-O', 'raw', path, raw);
  return readFile(raw);
}
async function requireRestores(disk: string, path: string): Promise<void> {
  const restored = join(folder.path, 'restored.raw');
  await restore({ from: to, disk, to: restored, force: true });
  expect((await content(restored, 'raw')).equals(await content(path, 'qcow2')), disk).toBe(true);
}

describe('drives', () => {
  test('that changed places between two starts restore as what they were', async () => {
    await start('a', 'b');
    const first = await run();
    await stop('terminate');
    const started = await start('b', 'a');
    await guestIo(started, 'disk0', 'write -P 9 2M 64k');
    const second = await run();
    expect(second.disks).toMatchObject([{ verdict: 'incremental' }, { verdict: 'incremental' }]);
    const keys = ({ disks }: BackupResult) => disks.map((disk) => ('key' in disk ? disk.key : null));
    expect(keys(second)).toEqual(keys(first).reverse());
    await stop('terminate');
    const names = second.disks.map(({ disk }) => disk);
    await requireRestores(names[0] ?? '', image('b'));
    await requireRestores(names[1] ?? '', image('a'));
    expect((await verify({ from: to })).problems).toEqual([]);
  });

  test('of a QEMU that was killed are one disk each, backed up by path and by the VM', async () => {
    await start('a');
    await run();
    await stop('terminate');
    await start('a');
    await stop('kill');
    const { disks } = await backup(imagesSource([image('a')]), { to });
    expect(disks).toMatchObject([{ verdict: 'full', reason: 'CRASHED' }]);
    await start('a');
    expect((await run()).disks).toMatchObject([{ verdict: 'incremental', base: { run: 2 } }]);
    const read = await BackupFolder.read(to);
    expect(new Set(read.runs.flatMap((one) => one.disks.map((disk) => read.seriesOf(disk)))).size).toBe(1);
  });

  test('of which one is pulled out while it is copied: the other one is backed up', async () => {
    const started = await start('a', 'b');
    await run();
    await guestIo(started, 'disk0', 'write -P 7 2M 64k');
    let pulled = false;
    const result = await run({
      jobs: 1,
      onDisk: async () => {
        if (pulled) return;
        pulled = true;
        await started.control.execute('device_del', { id: 'disk1' });
      },
    });
    expect(result.run).toBe(2);
    expect(result.warnings.join()).not.toContain('were not kept');
    expect(result.disks).toContainEqual(
      expect.objectContaining({ verdict: 'incremental', base: expect.anything() }),
    );
    await stop('terminate');
    await requireRestores((await BackupFolder.read(to)).runs[1]?.disks[0]?.disk ?? '', image('a'));
    expect((await verify({ from: to })).problems).toEqual([]);
  });
});
