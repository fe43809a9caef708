/** A libvirt daemon that goes and comes back: what goes on, what is told, and what is not taken for what it was. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DomainWay } from '../../../../lib/backend/libvirt/domainWay.js';
import { EVENTS_LOST, type QmpPort } from '../../../../lib/backend/qemu/qmp/qmpPort.js';
import { openVm } from '../../../../lib/index.js';
import { eventually } from '../../../helpers/eventually.js';
import { type FakeDomain, FakeLibvirt } from '../../../helpers/fakeLibvirt.js';
import type { QemuProcess } from '../../../helpers/qemuProcess.js';
import { guestIo, startQemuSystem } from '../../../helpers/qemuSystem.js';
import { qemuImg } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let qemu: QemuProcess;
let libvirt: FakeLibvirt;
let domain: FakeDomain;
let port: QmpPort;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  const image = `${folder.path}/a.qcow2`;
  await qemuImg('create', '-q', '-f', 'qcow2', image, '64M');
  qemu = await startQemuSystem([
    ...['-blockdev', `driver=qcow2,node-name=libvirt-1-format,file.driver=file,file.filename=${image}`],
    ...['-device', 'virtio-blk-pci,id=virtio-disk0,drive=libvirt-1-format'],
  ]);
  const xml = `<domain><devices><disk type='file' device='disk'><driver type='qcow2'/><source file='${image}'/><target dev='vda'/><alias name='virtio-disk0'/></disk></devices></domain>`;
  domain = { name: 'web', uuid: 'aaaaaaaa-1111-4222-8333-444444444444', xml, qmp: qemu.qmpPath };
  libvirt = await FakeLibvirt.start([domain]);
  port = await new DomainWay(`libvirt:${libvirt.uri}#web`).connect();
});
afterEach(async () => {
  await port?.close();
  await libvirt?.[Symbol.asyncDispose]();
  await qemu?.[Symbol.asyncDispose]();
  await folder?.remove();
});

test('questions are asked again, commands in between wait, and whoever listens hears that events are lost', async () => {
  const lost = port.waitEvent(({ event }) => event === EVENTS_LOST);
  const asked = Array.from({ length: 10 }, () => port.execute('query-status'));
  libvirt.drop();
  const changed = port.execute('cont');
  expect(await Promise.all(asked)).toHaveLength(10);
  expect(await changed).toEqual({});
  expect(await lost).toMatchObject({ event: EVENTS_LOST });
  expect(port.open).toBe(true);
  const stopped = port.waitEvent(({ event }) => event === 'STOP');
  await port.execute('stop');
  expect(await stopped).toMatchObject({ event: 'STOP' });
});

test('a change that was under way is told as lost: it may have happened', async () => {
  libvirt.hold = 'monitorCommand';
  const changed = port.execute('cont');
  await eventually(() => expect(libvirt.held).toBe(1));
  libvirt.hold = null;
  libvirt.drop();
  expect(await refusalOf(changed)).toMatchObject({ code: 'ERR_CBT_CONNECTION_LOST' });
  expect(await port.execute('query-name')).toEqual({});
});

test('another run of the domain is not what was connected', async () => {
  libvirt.away = true;
  libvirt.drop();
  await libvirt.stop(domain.uuid);
  await libvirt.add(domain);
  libvirt.away = false;
  expect(await port.ended).toMatchObject({
    code: 'ERR_CBT_CONNECTION_LOST',
    message: expect.stringContaining('while its libvirt was away'),
  });
});

test('a scratch file that came to its limit meanwhile breaks the session, which nobody could tell', async () => {
  const address = `libvirt:${libvirt.uri}#web`;
  const write = (command: string): Promise<void> =>
    guestIo(qemu, '/machine/peripheral/virtio-disk0/virtio-backend', command);
  await write('write -P 1 0 16M');
  await using vm = await openVm({ address: address });
  await vm.enable();
  const session = await vm.begin({ scratch: { limitBytes: 1 << 20 } });
  libvirt.away = true;
  libvirt.drop();
  await write('write -P 2 0 4M');
  libvirt.away = false;
  await eventually(() => expect(session.broken?.message).toContain('reached its limit'));
  expect(await refusalOf(session.commit())).toMatchObject({ message: expect.stringContaining('is broken') });
});
