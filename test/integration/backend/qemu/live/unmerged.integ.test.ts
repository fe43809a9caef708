/** The moment between the end of a blockpull's job in QEMU and what libvirt does then: the top has a part of its newest segment alone. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectVm } from '../../../../../lib/host/vm.js';
import { guestIo, startQemuSystem } from '../../../../helpers/qemuSystem.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { makeTemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const MIB = 2 ** 20;

test('a disk is busy while a layer that was let go of has a part of its points', async () => {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const image = join(folder.path, 'image.qcow2');
  const overlay = join(folder.path, 'overlay.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', image, '-F', 'qcow2', overlay);
  const node = (name: string, filename: string, more: object = {}) => ({
    driver: 'qcow2',
    'node-name': name,
    file: { driver: 'file', filename },
    ...more,
  });
  await using qemu = await startQemuSystem([
    ...['-blockdev', JSON.stringify(node('image', image))],
    ...['-device', 'virtio-blk-pci,id=disk,drive=image'],
  ]);
  await using vm = await connectVm(qemu.qmpPath);
  const { control } = qemu;
  const write = (mebibyte: number): Promise<void> =>
    guestIo(qemu, '/machine/peripheral/disk/virtio-backend', `write -P 1 ${mebibyte}M 1M`);
  const { pit } = await vm.enable();
  await write(1);
  const nodes = (await control.execute('query-named-block-nodes')) as {
    'dirty-bitmaps'?: { name: string }[];
  }[];
  const [name] = nodes.flatMap((one) => one['dirty-bitmaps'] ?? []).map((one) => one.name);

  // An external snapshot as libvirt takes it.
  await control.execute('blockdev-add', node('overlay', overlay, { backing: null }));
  await control.execute('transaction', {
    actions: [
      { type: 'blockdev-snapshot', data: { node: 'image', overlay: 'overlay' } },
      { type: 'block-dirty-bitmap-add', data: { node: 'overlay', name, persistent: true } },
    ],
  });
  await write(2);
  const changed = async (): Promise<number[]> => {
    await using disk = await vm.openDisk('disk');
    return Array.from(await (await disk.changes({ from: String(pit) })).ranges());
  };
  expect(await changed()).toEqual([MIB, 2 * MIB]);

  const stream = { 'job-id': 'pull', device: 'overlay', 'auto-dismiss': false };
  await control.execute('block-stream', stream);
  for (let status = ''; status !== 'concluded'; ) {
    const jobs = (await control.execute('query-jobs')) as { status: string }[];
    status = jobs[0]?.status ?? '';
  }
  await control.execute('job-dismiss', { id: 'pull' });
  const busy = { code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' };
  expect(await refusalOf(changed())).toMatchObject(busy);
  expect(await refusalOf(vm.begin())).toMatchObject(busy);

  const merge = { node: 'overlay', target: name, bitmaps: [{ node: 'image', name }] };
  await control.execute('block-dirty-bitmap-merge', merge);
  expect(await refusalOf(changed())).toMatchObject(busy);
  await control.execute('blockdev-del', { 'node-name': 'image' });
  expect(await changed()).toEqual([MIB, 2 * MIB]);
});
