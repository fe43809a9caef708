/** The real daemon and the fake one keep the same promises; a line for each. */
import { mkdir } from 'node:fs/promises';
import { FakeLibvirt } from '../helpers/fakeLibvirt.js';
import { LibvirtDaemon } from '../helpers/libvirtDaemon.js';
import { startQemuSystem } from '../helpers/qemuSystem.js';
import { qemuImg } from '../helpers/qemuTools.js';
import { IS_OFF, type LibvirtSubject, libvirtContract, RUNS } from './libvirt.js';

const UUIDS = {
  [RUNS]: 'aaaaaaaa-1111-4222-8333-444444444444',
  [IS_OFF]: 'bbbbbbbb-1111-4222-8333-444444444444',
};

async function real(): Promise<LibvirtSubject> {
  const daemon = await LibvirtDaemon.start();
  await mkdir(daemon.file('images'));
  for (const name of [RUNS, IS_OFF]) {
    const file = daemon.file(`images/${name}.qcow2`);
    await qemuImg('create', '-q', '-f', 'qcow2', file, '1M');
    await daemon.define(name, [{ target: 'vda', file }]);
  }
  await daemon.virsh('start', RUNS);
  return {
    uri: daemon.uri,
    destroy: async (name) => void (await daemon.virsh('destroy', name)),
    async save(name) {
      await daemon.virsh('start', name);
      await daemon.virsh('managedsave', name);
    },
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

async function fake(): Promise<LibvirtSubject> {
  const qemu = await startQemuSystem([
    ...['-blockdev', 'driver=null-co,node-name=libvirt-1-storage,size=1048576'],
    ...['-device', 'virtio-blk-pci,id=virtio-disk0,drive=libvirt-1-storage'],
  ]);
  const xml = (alias: string): string =>
    `<domain><devices><disk type='file' device='disk'><driver type='qcow2'/><source file='/i'/><target dev='vda'/>${alias}</disk></devices></domain>`;
  const libvirt = await FakeLibvirt.start([
    { name: RUNS, uuid: UUIDS[RUNS], xml: xml(`<alias name='virtio-disk0'/>`), qmp: qemu.qmpPath },
    { name: IS_OFF, uuid: UUIDS[IS_OFF], xml: xml(''), qmp: null },
  ]);
  return {
    uri: libvirt.uri,
    destroy: () => libvirt.stop(UUIDS[RUNS]),
    save: async () => libvirt.save(UUIDS[IS_OFF]),
    async [Symbol.asyncDispose]() {
      await libvirt[Symbol.asyncDispose]();
      await qemu[Symbol.asyncDispose]();
    },
  };
}

libvirtContract('in this process', fake);
libvirtContract('as Debian has it', real);
