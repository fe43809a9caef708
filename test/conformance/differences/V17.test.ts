/** docs/differences.md, V17. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect, VirtualDisk } from '../../../lib/facade/vsphere/index.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';
import { faultOf } from '../vsphere/support.js';

test('V17: a call answers the same in its caller’s time, and not at all for a signal that fired', async () => {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const file = join(folder.path, 'd.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '1M');
  const own = { signal: new AbortController().signal, timeoutMs: 60_000 };
  const vm = await connect({
    stateFolder: join(folder.path, 'state'),
    vms: [{ name: 'web', qmpSocket: join(folder.path, 'q'), images: { d: file } }],
  }).findVm('web', own);
  const disk = vm!.config.hardware.device.find((device) => device instanceof VirtualDisk);
  const answer = await vm!.QueryChangedDiskAreas(null, disk!.key, 0, '*');
  expect(await vm!.QueryChangedDiskAreas(null, disk!.key, 0, '*', own)).toEqual(answer);
  const fired = { signal: AbortSignal.abort() };
  expect((await faultOf(vm!.QueryChangedDiskAreas(null, disk!.key, 0, '*', fired)))._type).toBe(
    'RequestCanceled',
  );
  const task = vm!.ConsolidateVMDisks_Task();
  expect((await faultOf(task.wait(fired)))._type).toBe('RequestCanceled');
  await task.wait(own);
  expect(task.info).toMatchObject({ state: 'success', cancelled: false });
});
