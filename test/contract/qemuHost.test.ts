/** Whoever makes a `QemuHost` keeps its promises; a line for each. */
import { mkdir } from 'node:fs/promises';
import { PlainHost } from '../../lib/backend/qemu/plainHost.js';
import type { QemuHost } from '../../lib/backend/qemu/qemuHost.js';
import { SocketWay } from '../../lib/backend/qemu/socketHost.js';
import { wayTo } from '../../lib/host/ways.js';
import { FakeGuestAgent } from '../helpers/fakeGuestAgent.js';
import { FakeLibvirt } from '../helpers/fakeLibvirt.js';
import { OwnedHost } from '../helpers/pipePort.js';
import { qemuImg } from '../helpers/qemuTools.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';
import { type HostSubject, qemuHostContract } from './qemuHost.js';

interface Behind {
  host: QemuHost;
  again(): Promise<QemuHost>;
  sees: boolean;
  names?: Record<string, string>;
  addressOf?: HostSubject['addressOf'];
  agent?: HostSubject['agent'];
  end?(): Promise<void>;
}

/** Two QEMUs, of which one has an image by its path and one by a name in its folder; a guest agent. */
async function where(
  behind: (qemu: StorageDaemon['process'], other: StorageDaemon['process']) => Promise<Behind>,
): Promise<HostSubject> {
  const [{ process: other }, agent] = await Promise.all([StorageDaemon.start(), FakeGuestAgent.start()]);
  const image = other.file('image.qcow2');
  const relative = { name: 'relative.qcow2', path: '' };
  for (const name of ['image.qcow2', relative.name])
    await qemuImg('create', '-q', '-f', 'qcow2', other.file(name), '1M');
  const folder = other.file('qemu');
  await mkdir(folder);
  relative.path = `${folder}/${relative.name}`;
  await qemuImg('create', '-q', '-f', 'qcow2', relative.path, '1M');
  const { process: qemu } = await StorageDaemon.start({
    folder,
    disks: [
      { node: 'a', file: image },
      { node: 'b', file: relative.name },
    ],
  });
  const { host, again, sees, names = {}, end, ...more } = await behind(qemu, other);
  return {
    qemu,
    other,
    host,
    again,
    sees,
    names,
    image,
    relative,
    addressOf: (one) => one.qmpPath,
    agent: {
      socket: agent.path,
      isFrozen: () => agent.frozen,
      freeze: () => {
        agent.frozen = true;
      },
    },
    ...more,
    async [Symbol.asyncDispose]() {
      await end?.();
      await qemu[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
      await agent[Symbol.asyncDispose]();
    },
  };
}

const unseen = (): Promise<HostSubject> =>
  where(async (qemu) => ({
    host: new PlainHost(qemu.qmpPath),
    again: async () => new PlainHost(qemu.qmpPath),
    sees: false,
  }));

const bySocket = (): Promise<HostSubject> =>
  where(async (qemu) => {
    let port = await new SocketWay(qemu.qmpPath).connect();
    return {
      host: port.host,
      async again() {
        await port.close();
        port = await new SocketWay(port.host.address).connect();
        return port.host;
      },
      sees: true,
      end: () => port.close(),
    };
  });

const byLibvirt = (): Promise<HostSubject> =>
  where(async (qemu) => {
    const uuid = 'aaaaaaaa-1111-4222-8333-444444444444';
    const disk = `<disk type='file' device='disk'><driver type='qcow2'/><source file='/i'/><target dev='vda'/><alias name='virtio-disk0'/></disk>`;
    const xml = `<domain><name>web</name><devices>${disk}</devices></domain>`;
    const libvirt = await FakeLibvirt.start([{ name: 'web', uuid, xml, qmp: qemu.qmpPath }]);
    const port = await (await wayTo(`libvirt:${libvirt.uri}#web`)).connect();
    const opened = [port];
    return {
      host: port.host,
      again: async () => {
        const later = await (await wayTo(port.host.address)).connect();
        opened.push(later);
        return later.host;
      },
      sees: false,
      names: { 'virtio-disk0': 'vda' },
      agent: {
        socket: '',
        isFrozen: () => libvirt.frozen !== 0,
        freeze: () => {
          libvirt.frozen = libvirt.fileSystems;
        },
      },
      async end() {
        for (const one of opened) await one.close();
        await libvirt[Symbol.asyncDispose]();
      },
    };
  });

const byAnother = (): Promise<HostSubject> =>
  where(async (qemu) => {
    const folder = qemu.file('place');
    await mkdir(folder);
    return {
      host: new OwnedHost('web', folder),
      again: async () => new OwnedHost('web', folder),
      sees: false,
    };
  });

qemuHostContract('of which nothing is seen', unseen);
qemuHostContract('behind a QMP socket', bySocket);
qemuHostContract('as a domain of libvirt', byLibvirt);
qemuHostContract('as another program’s', byAnother);
