/** VMs of a host file, held by their names; and a socket behind which another VM answers by now. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HostVm } from '../../../lib/host/hostVm.js';
import { Inventory } from '../../../lib/host/inventory.js';
import { connectVm } from '../../../lib/host/vm.js';
import { cli } from '../../helpers/cli.js';
import { startQemuSystem } from '../../helpers/qemuSystem.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(async () => {
  await folder.remove();
});

const held = expect.stringMatching(/the vendor \(process \d+ on .+\) since \d{4}-/);

test('a VM is held by its name for whoever calls it by name, number or socket, until it is let go', async () => {
  const file = join(folder.path, 'd.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
  await using daemon = await StorageDaemon.start({ disks: [{ node: 'd', file }] });
  const qmp = daemon.process.qmpPath;
  const host = join(folder.path, 'host.yaml');
  await writeFile(host, `vms: [{name: web, qmpSocket: ${qmp}}]`);
  const vm = await new Inventory({ file: host }).require('web');
  await vm.hold('the vendor');
  await vm.hold('the vendor');
  for (const name of ['web', `vm-${await vm.id()}`, qmp]) {
    const { code, stderr } = await cli('enable', '--vm', name, '--host', host);
    expect([name, code, stderr]).toEqual([name, 5, held]);
  }
  await using other = await (await new Inventory({ file: host }).require('web')).connect();
  await expect(other.enable()).rejects.toMatchObject({ reason: 'BUSY', message: held });
  await expect(
    new HostVm({ name: 'alias', qmpSocket: qmp }).changing('a change', async () => 1),
  ).rejects.toMatchObject({
    reason: 'BUSY',
  });
  expect(await vm.letGo('another')).toBe(false);
  expect(await vm.letGo('the vendor')).toBe(true);
  expect(await vm.letGo('the vendor')).toBe(false);
  expect((await other.enable()).disks).toMatchObject([{ disk: 'd' }]);

  await vm.changing('a change', async () => {
    await expect(new HostVm({ name: 'alias', qmpSocket: qmp }).hold('another')).rejects.toMatchObject({
      reason: 'BUSY',
    });
  });
});

test('a socket behind which a VM with another UUID answers is refused, and nothing is done there', async () => {
  const [mine, theirs] = ['11111111-2222-4333-8444-555555555555', 'abcdef01-2345-4678-89ab-cdef01234567'];
  const file = join(folder.path, 'd.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
  const drive = ['-drive', `if=none,id=d,format=qcow2,file=${file}`, '-device', 'virtio-blk-pci,drive=d'];
  await using qemu = await startQemuSystem(['-uuid', theirs, ...drive]);
  const qmp = qemu.file('qmp.sock');
  const host = join(folder.path, 'host.yaml');
  await writeFile(host, `vms: [{name: web, uuid: ${mine}, qmpSocket: ${qmp}}]`);
  const vm = await new Inventory({ file: host }).require('web');
  const other = { code: 'ERR_CBT_INVALID_ARGUMENT', message: expect.stringContaining(theirs) };
  await expect(vm.connect()).rejects.toMatchObject(other);
  await expect(vm.openDisk('d')).rejects.toMatchObject(other);
  const { code, stderr } = await cli('enable', '--vm', 'web', '--host', host);
  expect([code, stderr]).toEqual([2, expect.stringContaining('another VM answers there')]);
  await using seen = await connectVm(qmp);
  await using disk = await seen.openDisk('d');
  expect((await disk.pits()).state).toBe('untracked');
});
