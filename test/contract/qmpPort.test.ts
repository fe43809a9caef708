/** Whoever makes a `QmpPort` keeps its promises; a line for each. */
import { mkdir } from 'node:fs/promises';
import { SocketWay } from '../../lib/backend/qemu/socketHost.js';
import { wayTo } from '../../lib/host/ways.js';
import { FakeLibvirt } from '../helpers/fakeLibvirt.js';
import { OwnedHost, PipeOwner, PipePort } from '../helpers/pipePort.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';
import { type PortSubject, qmpPortContract } from './qmpPort.js';

async function bySocket(): Promise<PortSubject> {
  const { process: qemu } = await StorageDaemon.start();
  return {
    qemu,
    connect: () => new SocketWay(qemu.qmpPath).connect(),
    [Symbol.asyncDispose]: () => qemu[Symbol.asyncDispose](),
  };
}

async function byLibvirt(): Promise<PortSubject> {
  const { process: qemu } = await StorageDaemon.start();
  const uuid = 'aaaaaaaa-1111-4222-8333-444444444444';
  const xml = '<domain><name>web</name><devices/></domain>';
  const libvirt = await FakeLibvirt.start([{ name: 'web', uuid, xml, qmp: qemu.qmpPath }]);
  return {
    qemu,
    connect: async () => (await wayTo(`libvirt:${libvirt.uri}#web`)).connect(),
    async [Symbol.asyncDispose]() {
      await libvirt[Symbol.asyncDispose]();
      await qemu[Symbol.asyncDispose]();
    },
  };
}

async function byAnother(): Promise<PortSubject> {
  const { process: qemu } = await StorageDaemon.start();
  await mkdir(qemu.file('place'));
  const owner = await PipeOwner.start(qemu.qmpPath, qemu.file('pipe'));
  return {
    qemu,
    connect: () => PipePort.connect(owner.path, new OwnedHost('web', qemu.file('place'))),
    async [Symbol.asyncDispose]() {
      await owner[Symbol.asyncDispose]();
      await qemu[Symbol.asyncDispose]();
    },
  };
}

qmpPortContract('by a QMP socket', bySocket);
qmpPortContract('by libvirt', byLibvirt);
qmpPortContract('by another program that has the monitor', byAnother);
