/** Whoever makes a `WayToQemu` keeps its promises; a line for each. */

import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import net from 'node:net';
import { FakeGuestAgent } from '../helpers/fakeGuestAgent.js';
import { FakeLibvirt } from '../helpers/fakeLibvirt.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';
import { type WaySubject, wayToQemuContract } from './wayToQemu.js';

async function bySocket(): Promise<WaySubject> {
  const { process: qemu } = await StorageDaemon.start();
  await symlink(qemu.folder, qemu.file('folder'));
  await symlink('qmp.sock', qemu.file('link'));
  const agent = await FakeGuestAgent.start();
  const mute = net.createServer();
  mute.listen(qemu.file('mute'));
  await once(mute, 'listening');
  return {
    qemu,
    addresses: [qemu.qmpPath, qemu.file('link'), qemu.file('folder/link'), qemu.file('folder/../qmp.sock')],
    off: qemu.file('nobody.sock'),
    unknown: [qemu.file('mute')],
    agent: {
      name: agent.path,
      freeze: () => {
        agent.frozen = true;
      },
      isFrozen: () => agent.frozen,
    },
    async [Symbol.asyncDispose]() {
      mute.close();
      await agent[Symbol.asyncDispose]();
      await qemu[Symbol.asyncDispose]();
    },
  };
}

const UUIDS = ['aaaaaaaa-1111-4222-8333-444444444444', 'bbbbbbbb-1111-4222-8333-444444444444'] as const;

async function byLibvirt(): Promise<WaySubject> {
  const { process: qemu } = await StorageDaemon.start();
  const xml = '<domain><name>web</name><devices/></domain>';
  const libvirt = await FakeLibvirt.start([
    { name: 'web', uuid: UUIDS[0], xml, qmp: qemu.qmpPath },
    { name: 'off', uuid: UUIDS[1], xml, qmp: null },
  ]);
  const domain = (name: string): string => `libvirt:${libvirt.uri}#${name}`;
  return {
    qemu,
    addresses: [domain('web'), domain(UUIDS[0]), domain(UUIDS[0].toUpperCase())],
    off: domain('off'),
    unknown: [`libvirt:qemu:///system?socket=${qemu.file('no-libvirt')}#web`, domain('no-such-domain')],
    agent: {
      name: domain('web'),
      freeze: () => {
        libvirt.frozen = libvirt.fileSystems;
      },
      isFrozen: () => libvirt.frozen !== 0,
    },
    slow: (answerMs) => {
      libvirt.answerMs = answerMs;
    },
    async [Symbol.asyncDispose]() {
      await libvirt[Symbol.asyncDispose]();
      await qemu[Symbol.asyncDispose]();
    },
  };
}

wayToQemuContract('by a QMP socket', bySocket);
wayToQemuContract('by libvirt', byLibvirt);
