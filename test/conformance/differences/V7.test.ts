/** docs/differences.md, V7. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';
import { disks, faultOf, snapshot } from '../vsphere/support.js';

test('V7: the content of a snapshot of a VM that is off is its images, while nothing writes', async () => {
  const folder = await makeTemporaryFolder();
  try {
    const file = join(folder.path, 'd.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', file, '1M');
    const stateFolder = join(folder.path, 'state');
    const service = connect({
      stateFolder,
      vms: [{ name: 'off', qmpSocket: join(folder.path, 'q'), images: { d: file } }],
    });
    const vm = (await service.findVm('off'))!;
    const { key } = disks(vm)[0]!;
    expect((await faultOf(vm.CreateSnapshot_Task('x', '', false, false).wait())).name).toBe('NotSupported');
    await vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    const { reference, changeId } = await snapshot(vm);
    expect((await vm.QueryChangedDiskAreas(reference, key, 0, '*')).changedArea).toEqual([]);
    await qemuIo(['-f', 'qcow2', file], 'write 0 64k');
    expect((await faultOf(vm.QueryChangedDiskAreas(reference, key, 0, '*'))).name).toBe('FileFault');
    expect((await vm.QueryChangedDiskAreas(reference, key, 0, changeId)).changedArea).toEqual([]);
    expect((await vm.QueryChangedDiskAreas(null, key, 0, changeId)).changedArea).toEqual([
      { start: 0, length: 65_536 },
    ]);
  } finally {
    await folder.remove();
  }
});
