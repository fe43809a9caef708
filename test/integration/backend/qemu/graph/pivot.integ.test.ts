/** A disk that moved to another image by a mirror job: the node that it was is not the disk any more, whoever asks for it how. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectVm } from '../../../../../lib/host/vm.js';
import type { QemuProcess } from '../../../../helpers/qemuProcess.js';
import { guestIo, startQemuSystem } from '../../../../helpers/qemuSystem.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
const file = (name: string): string => join(folder.path, `${name}.qcow2`);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  for (const name of ['old', 'new']) await qemuImg('create', '-q', '-f', 'qcow2', file(name), '16M');
});
afterEach(() => folder.remove());

const node = (name: string) => ({
  driver: 'qcow2',
  'node-name': name,
  file: { driver: 'file', filename: file(name) },
});

async function pivot({ control }: QemuProcess): Promise<void> {
  await control.execute('blockdev-add', node('new'));
  const ready = control.waitEvent(({ event }) => event === 'BLOCK_JOB_READY');
  await control.execute('blockdev-mirror', { device: 'old', target: 'new', sync: 'full', 'job-id': 'm' });
  await ready;
  const gone = control.waitEvent(
    ({ event, data }) => event === 'JOB_STATUS_CHANGE' && data?.['id'] === 'm' && data['status'] === 'null',
  );
  await control.execute('block-job-complete', { device: 'm' });
  await gone;
}

describe('after a mirror job that turned to its target', () => {
  test('a storage daemon: the export is the disk, and the node that it left answers nothing', async () => {
    await using daemon = await StorageDaemon.start({ disks: [{ node: 'old', file: file('old') }] });
    await daemon.exportWritable('old');
    await using vm = await connectVm(daemon.process.file('qmp.sock'), { nbdSocket: daemon.nbdPath });
    const { pit } = await vm.enable();
    await using opened = await vm.openDisk('old');
    await pivot(daemon.process);
    await daemon.guestIo('old', 'write 0 64k');
    expect((await vm.disks()).map(({ disk, trackable }) => [disk, trackable]).sort()).toEqual([
      ['new', true],
      ['old', false],
    ]);
    // Its chain is whole and records, and saw no write: an answer from it would be empty.
    for (const work of [vm.openDisk('old'), opened.changes({ from: pit! }), vm.begin({ disks: ['old'] })])
      expect(await refusalOf(work)).toMatchObject({
        code: 'ERR_CBT_UNSUPPORTED',
        message: expect.stringContaining('no export leads to it'),
      });
    await using now = await vm.openDisk('new');
    expect((await refusalOf(now.changes({ from: pit! }))).recovery).toBe('full');
    await using session = await vm.begin({ scratch: { folder: folder.path } });
    expect(session.disks).toMatchObject([{ disk: 'new', verdict: 'full' }]);
    expect(session.warnings).toEqual([expect.stringMatching(/^old takes no part: no export leads to it/)]);
    await session.rollback();
  });

  test('a VM: the device is the disk, by every name that it has, and the old node is none', async () => {
    await using vm = await startQemuSystem(
      ['-M', 'q35', '-blockdev', JSON.stringify(node('old')), '-device', 'virtio-blk-pci,drive=old,id=vda'],
      folder.path,
    );
    await using connected = await connectVm(vm.file('qmp.sock'));
    const { pit } = await connected.enable();
    await using opened = await connected.openDisk('old');
    expect(opened.disk).toBe('vda');
    await pivot(vm);
    await guestIo(vm, '/machine/peripheral/vda/virtio-backend', 'write 0 64k');
    // What was opened goes on as the device, whose image has another history by now.
    expect((await refusalOf(opened.changes({ from: pit! }))).recovery).toBe('full');
    expect(await connected.disks()).toMatchObject([{ disk: 'vda', node: 'new', filename: file('new') }]);
    for (const name of ['old', file('old')])
      expect(await refusalOf(connected.openDisk(name))).toMatchObject({
        code: 'ERR_CBT_INVALID_ARGUMENT',
        message: expect.stringMatching(/has no disk .*vda/),
      });
    await using session = await connected.begin({ scratch: { folder: folder.path } });
    expect(session.disks).toMatchObject([{ disk: 'vda', verdict: 'full', reason: 'NOT_RECORDING' }]);
    await session.rollback();
  });
});
