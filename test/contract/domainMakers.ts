/** What the contracts ask for as a domain of libvirt has it, running and off. The daemon is the one in this process. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findAgain, findDisk, listDisks } from '../../lib/backend/qemu/graph/vmDisks.js';
import { LiveDiskSource } from '../../lib/backend/qemu/live/liveSource.js';
import { acquireConnection, releaseConnection } from '../../lib/backend/qemu/vmConnection.js';
import type { Vm } from '../../lib/core/vm.js';
import { openVm } from '../../lib/host/openVm.js';
import { wayTo } from '../../lib/host/ways.js';
import { loadKernel } from '../../lib/kernel/load.js';
import { type FakeDomain, FakeLibvirt } from '../helpers/fakeLibvirt.js';
import { guestIo, startQemuSystem } from '../helpers/qemuSystem.js';
import { qemuImg, qemuIo } from '../helpers/qemuTools.js';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';
import { ALLOCATION, type DataSubject } from './diskData.js';
import type { SourceSubject } from './diskSource.js';
import { addBitmap, leftovers, makeBothImages, writeBothBitmaps } from './sourceMakers.js';
import { DISK_BYTES, DISKS, type MakeVm, type VmSubject } from './vm.js';
import { linkTwins, overwriteVersion, TWINS } from './vmMakers.js';

const UUID = 'aaaaaaaa-1111-4222-8333-444444444444';

async function images(disks: readonly string[] = DISKS) {
  const folder = await makeTemporaryFolder();
  const image = (disk: string): string => join(folder.path, `${disk}.qcow2`);
  for (const disk of disks) await qemuImg('create', '-q', '-f', 'qcow2', image(disk), String(DISK_BYTES));
  return { folder, image };
}

function domain(images: Readonly<Record<string, string>>, qmp: string | null): FakeDomain {
  const disks = Object.entries(images).map(([disk, image], index) => {
    const alias = qmp === null ? '' : `<alias name='virtio-disk${index}'/>`;
    return `<disk type='file' device='disk'><driver type='qcow2'/><source file='${image}'/><target dev='${disk}'/>${alias}</disk>`;
  });
  const xml = `<domain><name>web</name><devices>${disks.join('')}</devices></domain>`;
  return { name: 'web', uuid: UUID, xml, qmp };
}

const imagesOf = (
  image: (disk: string) => string,
  disks: readonly string[] = DISKS,
): Record<string, string> => Object.fromEntries(disks.map((disk) => [disk, image(disk)]));

/** A domain that runs, with its qcow2 images for writing and raw ones for reading; its nodes and devices are called as libvirt calls them. */
async function startDomain(images: Readonly<Record<string, string>>) {
  const disks = Object.keys(images);
  const node = (disk: string): string => `libvirt-${disks.indexOf(disk) + 1}-format`;
  const qemu = await startQemuSystem(
    disks.flatMap((disk, index) => [
      '-blockdev',
      `${images[disk]?.endsWith('.raw') ? 'driver=raw,read-only=on' : 'driver=qcow2'},node-name=${node(disk)},file.driver=file,file.filename=${images[disk]}`,
      '-device',
      `virtio-blk-pci,id=virtio-disk${index},drive=${node(disk)}`,
    ]),
  );
  const libvirt = await FakeLibvirt.start([domain(images, qemu.qmpPath)]);
  return {
    address: `libvirt:${libvirt.uri}#web`,
    control: qemu.control,
    node,
    guestIo: (disk: string, command: string) =>
      guestIo(qemu, `/machine/peripheral/virtio-disk${disks.indexOf(disk)}/virtio-backend`, command),
    async [Symbol.asyncDispose]() {
      await libvirt[Symbol.asyncDispose]();
      await qemu[Symbol.asyncDispose]();
    },
  };
}

/** `twins`: disks more that are one file, for readers: its path is the name of each. */
async function runningOf(twins: readonly string[]): Promise<VmSubject> {
  const { folder, image } = await images();
  const twin = join(folder.path, 'twins.raw');
  if (twins.length > 0) await qemuImg('create', '-q', '-f', 'raw', twin, '1M');
  const running = await startDomain({
    ...imagesOf(image),
    ...Object.fromEntries(twins.map((disk) => [disk, twin])),
  });
  const again = (): Promise<Vm> => openVm({ address: running.address });
  const vm = await again();
  return {
    vm,
    again,
    image,
    guestIo: running.guestIo,
    twoOfAName: async () => twin,
    spoil: async (disk) => {
      const node = running.node(disk);
      const nodes = (await running.control.execute('query-named-block-nodes')) as {
        'node-name': string;
        'dirty-bitmaps'?: { name: string; recording: boolean }[];
      }[];
      const found = nodes.find((one) => one['node-name'] === node)?.['dirty-bitmaps'] ?? [];
      const name = found.find((one) => one.recording && one.name.startsWith('cbt1.'))?.name;
      await running.control.execute('block-dirty-bitmap-remove', { node, name });
    },
    async [Symbol.asyncDispose]() {
      await vm.close();
      await running[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
}

export const runningDomain: MakeVm = () => runningOf([]);
export const twinsOfARunningDomain: MakeVm = () => runningOf(TWINS);

async function offDomain(disks: readonly string[]): Promise<VmSubject> {
  const { folder, image } = await images(disks);
  const libvirt = await FakeLibvirt.start([domain(imagesOf(image, disks), null)]);
  const again = (): Promise<Vm> => openVm({ address: `libvirt:${libvirt.uri}#web` });
  const vm = await again();
  return {
    vm,
    again,
    image,
    guestIo: async (disk, command) => void (await qemuIo(['-f', 'qcow2', image(disk)], command)),
    spoil: (disk) => overwriteVersion(image(disk)),
    twoOfAName: () => linkTwins(image, join(folder.path, 'link.qcow2')),
    async [Symbol.asyncDispose]() {
      await vm.close();
      await libvirt[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
}

export const domainThatIsOff: MakeVm = () => offDomain(DISKS);
export const twinsOfADomainThatIsOff: MakeVm = () => offDomain([...DISKS, ...TWINS]);

/** Its one disk, through libvirt's connection to QEMU. */
export async function runningDomainDisk(): Promise<SourceSubject> {
  const { folder, image } = await makeBothImages();
  const running = await startDomain({ vda: image });
  const { control } = running;
  await writeBothBitmaps(control, running.node('vda'), (command) => running.guestIo('vda', command));
  const connection = await acquireConnection(await wayTo(running.address));
  const { client, server } = connection;
  const found = await findDisk(await listDisks(client), 'vda');
  const kernel = await loadKernel();
  return {
    open: async () =>
      new LiveDiskSource({ client, server, kernel, disk: 'vda', find: (disks) => findAgain(disks, found) }),
    addBitmap: (name) => addBitmap(control, running.node('vda'), name),
    zeros: true,
    leftovers: () => leftovers(control),
    async [Symbol.asyncDispose]() {
      await releaseConnection(connection);
      await running[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
}

/** The bytes of a session's instant: as an export of the QEMU that runs, and as the image of one that is off. */
export const domainData =
  ({ running }: { running: boolean }) =>
  async (content: Buffer): Promise<DataSubject> => {
    const folder = await makeTemporaryFolder();
    const [raw, image] = [join(folder.path, 'content.raw'), join(folder.path, 'disk.qcow2')];
    await writeFile(raw, content);
    await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, image);
    const off = running ? null : await FakeLibvirt.start([domain({ vda: image }, null)]);
    const on = running ? await startDomain({ vda: image }) : null;
    const vm = await openVm({ address: on?.address ?? `libvirt:${off?.uri}#web` });
    const session = await vm.begin({ scratch: { folder: folder.path } });
    return {
      open: () => session.openData('vda', { contexts: [ALLOCATION] }),
      writable: false,
      async [Symbol.asyncDispose]() {
        await session.rollback();
        await vm.close();
        await on?.[Symbol.asyncDispose]();
        await off?.[Symbol.asyncDispose]();
        await folder.remove();
      },
    };
  };
