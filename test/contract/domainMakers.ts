/** The VM of the contracts as a domain of libvirt: running, and off. The daemon is the one in this process. */
import { join } from 'node:path';
import { openVm } from '../../lib/host/openVm.js';
import { type FakeDomain, FakeLibvirt } from '../helpers/fakeLibvirt.js';
import { guestIo, startQemuSystem } from '../helpers/qemuSystem.js';
import { qemuImg, qemuIo } from '../helpers/qemuTools.js';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';
import { DISK_BYTES, DISKS, type MakeVm } from './vm.js';
import { overwriteVersion } from './vmMakers.js';

const UUID = 'aaaaaaaa-1111-4222-8333-444444444444';

async function images() {
  const folder = await makeTemporaryFolder();
  const image = (disk: string): string => join(folder.path, `${disk}.qcow2`);
  for (const disk of DISKS) await qemuImg('create', '-q', '-f', 'qcow2', image(disk), String(DISK_BYTES));
  return { folder, image };
}

function domain(image: (disk: string) => string, qmp: string | null): FakeDomain {
  const disks = DISKS.map((disk, index) => {
    const alias = qmp === null ? '' : `<alias name='virtio-disk${index}'/>`;
    return `<disk type='file' device='disk'><driver type='qcow2'/><source file='${image(disk)}'/><target dev='${disk}'/>${alias}</disk>`;
  });
  const xml = `<domain><name>web</name><devices>${disks.join('')}</devices></domain>`;
  return { name: 'web', uuid: UUID, xml, qmp };
}

/** Its nodes and devices are called as libvirt calls them. */
export const runningDomain: MakeVm = async () => {
  const { folder, image } = await images();
  const qemu = await startQemuSystem(
    DISKS.flatMap((disk, index) => [
      '-blockdev',
      `driver=qcow2,node-name=libvirt-${index + 1}-format,file.driver=file,file.filename=${image(disk)}`,
      '-device',
      `virtio-blk-pci,id=virtio-disk${index},drive=libvirt-${index + 1}-format`,
    ]),
  );
  const libvirt = await FakeLibvirt.start([domain(image, qemu.qmpPath)]);
  const vm = await openVm({ qmp: `libvirt:${libvirt.uri}#web` });
  const indexOf = (disk: string): number => DISKS.indexOf(disk as (typeof DISKS)[number]);
  return {
    vm,
    image,
    guestIo: (disk, command) =>
      guestIo(qemu, `/machine/peripheral/virtio-disk${indexOf(disk)}/virtio-backend`, command),
    spoil: async (disk) => {
      const node = `libvirt-${indexOf(disk) + 1}-format`;
      const nodes = (await qemu.control.execute('query-named-block-nodes')) as {
        'node-name': string;
        'dirty-bitmaps'?: { name: string; recording: boolean }[];
      }[];
      const found = nodes.find((one) => one['node-name'] === node)?.['dirty-bitmaps'] ?? [];
      const name = found.find((one) => one.recording && one.name.startsWith('cbt1.'))?.name;
      await qemu.control.execute('block-dirty-bitmap-remove', { node, name });
    },
    async [Symbol.asyncDispose]() {
      await vm.close();
      await libvirt[Symbol.asyncDispose]();
      await qemu[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
};

export const domainThatIsOff: MakeVm = async () => {
  const { folder, image } = await images();
  const libvirt = await FakeLibvirt.start([domain(image, null)]);
  const vm = await openVm({ qmp: `libvirt:${libvirt.uri}#web` });
  return {
    vm,
    image,
    guestIo: async (disk, command) => void (await qemuIo(['-f', 'qcow2', image(disk)], command)),
    spoil: (disk) => overwriteVersion(image(disk)),
    async [Symbol.asyncDispose]() {
      await vm.close();
      await libvirt[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
};
