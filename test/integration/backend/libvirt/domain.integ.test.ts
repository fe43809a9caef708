/** A domain of a real libvirtd, whose QEMU is another user's, under one name whether it runs or is off. */
import { chmod, copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { wayTo } from '../../../../lib/host/ways.js';
import { openDisk, openVm, type Vm } from '../../../../lib/index.js';
import { cli } from '../../../helpers/cli.js';
import { eventually } from '../../../helpers/eventually.js';
import { LibvirtDaemon, QEMU_UID } from '../../../helpers/libvirtDaemon.js';
import { qemuImg } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';

const MIB = 1 << 20;
const VDA = 'virtio-disk0';
let daemon: LibvirtDaemon;
let images: string[];

beforeAll(async () => {
  daemon = await LibvirtDaemon.start();
  await mkdir(daemon.file('images'));
});
afterAll(() => daemon?.[Symbol.asyncDispose]());

let serial = 0;
let name: string;
let address: string;

beforeEach(async () => {
  name = `web${++serial}`;
  address = daemon.address(name);
  images = ['vda', 'vdb'].map((disk) => daemon.file(`images/${name}-${disk}.qcow2`));
  for (const image of images) await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
  await daemon.define(name, [
    { target: 'vda', file: images[0]! },
    { target: 'vdb', file: images[1]! },
  ]);
  await daemon.virsh('start', name);
});

const write = (command: string): Promise<void> => daemon.guestIo(name, VDA, command);
async function changed(vm: Vm, from: string, disk = 'vda'): Promise<number[][]> {
  await using opened = await vm.openDisk(disk);
  const found: number[][] = [];
  for await (const { offset, length } of await opened.changes({ from })) found.push([offset, length]);
  return found;
}

/** Nothing of ours in QEMU, and libvirt busy with nothing. */
async function expectClean(): Promise<void> {
  const nodes = (await daemon.qmp(name, 'query-named-block-nodes')) as { 'node-name': string }[];
  expect(nodes.map((node) => node['node-name']).filter((node) => node.startsWith('cbt'))).toEqual([]);
  expect(await daemon.qmp(name, 'query-jobs')).toEqual([]);
  expect(await daemon.qmp(name, 'query-block-exports')).toEqual([]);
  expect(await daemon.virsh('domjobinfo', name)).toMatch(/None/);
}

describe('a domain that runs', () => {
  test('tells its disks by target, and finds them by alias, node and file', async () => {
    await using vm = await openVm({ address: address });
    expect(vm.running).toBe(true);
    const uuid = (await daemon.virsh('domuuid', name)).trim();
    expect(vm.key).toBe(uuid);
    expect(await vm.facts()).toMatchObject({ name, uuid, status: 'running' });
    const disks = await vm.disks();
    expect(disks).toMatchObject([
      { disk: 'vda', filename: images[0], trackable: true, persistent: true },
      { disk: 'vdb', filename: images[1], trackable: true, persistent: true },
    ]);
    for (const called of [VDA, disks[0]!.node!, images[0]!])
      expect(await vm.disks({ disks: [called] })).toMatchObject([{ disk: 'vda' }]);
    expect(await refusalOf(vm.openDisk('vdz'))).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
      message: expect.stringContaining('vda (/machine/peripheral/virtio-disk0/virtio-backend'),
    });
  });

  test('keeps points, and has a session whose files are of the user that QEMU is', async () => {
    await using vm = await openVm({ address: address });
    const { pit } = await vm.enable();
    await write('write -P 7 1M 64k');
    const session = await vm.begin({ base: String(pit) });
    const folder = dirname(new URL(String(session.disks[0]!.unsafeExportUri)).searchParams.get('socket')!);
    expect((await stat(folder)).uid).toBe(QEMU_UID);
    expect(session.disks).toMatchObject([
      { disk: 'vda', verdict: 'incremental' },
      { disk: 'vdb', verdict: 'incremental' },
    ]);
    await write('write -P 9 1M 64k');
    await using data = await session.openData('vda');
    expect(Buffer.from(await data.read(MIB, 512))).toEqual(Buffer.alloc(512, 7));
    await data.close();
    await session.commit();
    expect(await changed(vm, String(pit))).toEqual([[MIB, 65_536]]);
    expect(await changed(vm, session.pit)).toEqual([[MIB, 65_536]]);
    expect(await changed(vm, session.pit, 'vdb')).toEqual([]);
    await expectClean();
    await expect(stat(folder)).rejects.toThrow('ENOENT');
  });

  test('is backed up, restored and verified by the command; a name of it is a name of its disk', async () => {
    const to = daemon.file(`backup-${name}`);
    const backup = async (): Promise<{ verdict: string; key: string }[]> => {
      const { code, stdout, stderr } = await cli('backup', '--vm', address, '--to', to, '--json');
      expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')]);
      return JSON.parse(stdout).disks;
    };
    await write('write -P 1 0 1M');
    expect((await backup()).map(({ verdict, key }) => [verdict, key])).toEqual([
      ['full', 'vda'],
      ['full', 'vdb'],
    ]);
    await write('write -P 2 512k 1M');
    expect((await backup()).map(({ verdict }) => verdict)).toEqual(['incremental', 'incremental']);
    expect((await cli('verify', '--from', to, '--vm', address)).code).toBe(0);
    const restored = daemon.file(`restored-${name}.qcow2`);
    expect((await cli('restore', '--from', to, '--disk', 'vda', '--to', restored)).code).toBe(0);
    // The run kept what the domain was made from: a new one, over files of its own.
    const another = `${name}-again`;
    const files = daemon.file(`images/${another}`);
    const anew = ['restore', '--from', to, '--to-folder', files, '--define', daemon.address(another)];
    const { code, stderr } = await cli(...anew);
    expect([code, stderr]).toEqual([0, expect.stringContaining('is defined')]);
    expect(stderr).toContain('<emulator> is left out');
    const uuid = (of: string): Promise<string> => daemon.virsh('domuuid', of);
    expect(await uuid(another)).not.toBe(await uuid(name));
    expect((await cli(...anew)).stderr).toContain(`has a domain ${another} already`);
    // libvirt would make the old one anew, over the restored disks.
    const same = [...anew.slice(0, -1), daemon.address(`${another}-2`), '--same-identity'];
    expect(await cli(...same)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(new RegExp(`of UUID .* already, ${name}:`)),
    });
    await chmod(files, 0o755);
    await daemon.virsh('start', another);
    expect(await daemon.virsh('domblklist', another)).toContain(`${files}/vda.qcow2`);
    await daemon.virsh('destroy', another);
    await qemuImg('compare', restored, `${files}/vda.qcow2`);
    await using disk = await openDisk(`${address}#vda`);
    expect((await disk.pits()).state).toBe('recording');
    await disk.close();
    await daemon.virsh('destroy', name);
    await qemuImg('compare', restored, images[0]!);
  });

  test('a disk that was plugged in while it ran is restored, and told that the new domain does not have it', async () => {
    const [to, hot] = [daemon.file(`backup-${name}`), daemon.file(`images/${name}-hot.qcow2`)];
    await qemuImg('create', '-q', '-f', 'qcow2', hot, '1M');
    await daemon.virsh('attach-disk', name, hot, 'vdc', '--live', '--subdriver', 'qcow2');
    expect((await cli('backup', '--vm', address, '--to', to)).code).toBe(0);
    const folder = daemon.file(`images/${name}-hot`);
    const define = ['--define', daemon.address(`${name}-hot`)];
    const { code, stderr } = await cli('restore', '--from', to, '--to-folder', folder, ...define);
    expect(code).toBe(6);
    expect(stderr).toContain(`${folder}/vdc.qcow2 is attached to nothing`);
    expect(await daemon.virsh('domblklist', `${name}-hot`)).toMatch(/vda.*vda\.qcow2\s+vdb.*vdb\.qcow2\s*$/);
  });

  test('an overlay is refused: libvirt would not know of it', async () => {
    await using vm = await openVm({ address: address });
    expect(await refusalOf(vm.begin({ mode: 'overlay' }))).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      message: expect.stringContaining('libvirt does not know of the overlay'),
    });
    await expectClean();
  });

  test('a job of libvirt’s own keeps a session off, and is told', async () => {
    const socket = daemon.file(`run/${name}.nbd`);
    await chmod(daemon.file('run'), 0o777);
    const xml = daemon.file(`${name}-job.xml`);
    await writeFile(
      xml,
      `<domainbackup mode='pull'><server transport='unix' socket='${socket}'/></domainbackup>`,
    );
    await chmod(daemon.file('images'), 0o777);
    await daemon.virsh('backup-begin', name, xml);
    await using vm = await openVm({ address: address });
    expect(await refusalOf(vm.begin())).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      reason: 'BUSY',
      message: expect.stringContaining('a backup of this domain'),
    });
    await daemon.virsh('domjobabort', name);
    await (await vm.begin()).rollback();
    await expectClean();
  });

  test('a session that outlives its command goes on while the daemon is restarted', async () => {
    await using vm = await openVm({ address: address });
    const { pit } = await vm.enable();
    const session = await vm.begin({ detached: true });
    await write('write -P 3 2M 64k');
    await daemon.stop();
    const asked = vm.facts();
    await daemon.run();
    // What is connected waits for it.
    expect(await asked).toMatchObject({ name });
    await using again = await openVm({ address: address });
    const resumed = await again.resume(session.pit);
    await resumed.commit();
    expect(await changed(again, session.pit)).toEqual([[2 * MIB, 65_536]]);
    expect(await changed(again, String(pit))).toEqual([[2 * MIB, 65_536]]);
    await expectClean();
  });

  test('a session of this process goes on while the daemon is restarted, and what it serves is its instant', async () => {
    await using vm = await openVm({ address: address });
    await vm.enable();
    await write('write -P 5 1M 64k');
    const session = await vm.begin();
    const data = await session.openData('vda');
    await daemon.restart();
    await write('write -P 6 1M 64k');
    await session.check();
    expect(Buffer.from(await data.read(MIB, 512))).toEqual(Buffer.alloc(512, 5));
    await data.close();
    expect((await session.commit()).disks).toMatchObject([{ disk: 'vda' }, { disk: 'vdb' }]);
    expect(await changed(vm, session.pit)).toEqual([[MIB, 65_536]]);
    await expectClean();
  });

  test('destroyed in a session, the VM is another one: its point is taken back by whoever comes next', async () => {
    {
      await using vm = await openVm({ address: address });
      await vm.enable();
      const session = await vm.begin();
      await daemon.virsh('shutdown', name, '--mode', 'acpi');
      await daemon.virsh('destroy', name, '--graceful');
      const refused = await refusalOf(vm.facts());
      expect(refused).toMatchObject({ code: 'ERR_CBT_CONNECTION_LOST' });
      await refusalOf(session.rollback());
    }
    await daemon.virsh('start', name);
    await using vm = await openVm({ address: address });
    await eventually(async () => {
      const session = await vm.begin();
      await session.rollback();
    });
    await using disk = await vm.openDisk('vda');
    expect((await disk.pits()).pits).toHaveLength(1);
    await expectClean();
  });
});

describe('a domain that is off', () => {
  beforeEach(async () => {
    await daemon.virsh('destroy', name, '--graceful');
  });

  test('answers by its images, and keeps points there; running again it goes on from them', async () => {
    await using vm = await openVm({ address: address });
    expect(vm.running).toBe(false);
    const uuid = (await daemon.virsh('domuuid', name)).trim();
    expect(vm.key).toBe(uuid);
    expect(await vm.disks()).toMatchObject([
      { disk: 'vda', filename: images[0], format: 'qcow2' },
      { disk: 'vdb', filename: images[1], format: 'qcow2' },
    ]);
    const { pit } = await vm.enable();
    await daemon.virsh('start', name);
    expect(await refusalOf(vm.enable())).toMatchObject({ reason: 'BUSY' });
    await write('write -P 7 3M 64k');
    await using running = await openVm({ address: address });
    expect(running.running).toBe(true);
    expect(await changed(running, String(pit))).toEqual([[3 * MIB, 65_536]]);
  });

  test('a raw disk is left out unless it is named; one of another kind says why', async () => {
    const raw = daemon.file(`images/${name}.raw`);
    const vmdk = daemon.file(`images/${name}.vmdk`);
    await qemuImg('create', '-q', '-f', 'raw', raw, '1M');
    await copyFile(raw, vmdk);
    await daemon.define(`${name}-mixed`, [
      { target: 'vda', file: raw, format: 'raw' },
      { target: 'vdb', file: images[0]! },
      { target: 'vdc', file: vmdk, format: 'vmdk' },
    ]);
    await using vm = await openVm({ address: daemon.address(`${name}-mixed`) });
    expect(await vm.disks()).toMatchObject([
      { disk: 'vda', format: 'raw', persistent: false },
      { disk: 'vdb', format: 'qcow2' },
      { disk: 'vdc', trackable: false, why: expect.stringContaining('its format is vmdk') },
    ]);
    expect((await vm.enable()).disks.map(({ disk }) => disk)).toEqual(['vdb']);
    expect(await refusalOf(vm.enable({ disks: ['vdc'] }))).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED' });
  });
});

test('a domain is who it is, not what it is called', async () => {
  const uuid = (await daemon.virsh('domuuid', name)).trim();
  const identity = (of: string) => wayTo(daemon.address(of)).then((way) => way.identity());
  const known = await identity(name);
  expect(known).toBe(daemon.address(uuid));
  expect(await identity(uuid)).toBe(known);
  await daemon.virsh('destroy', name);
  await daemon.virsh('domrename', name, `${name}-new`);
  expect(await identity(`${name}-new`)).toBe(known);
  expect(await refusalOf(identity(name))).toMatchObject({
    code: 'ERR_CBT_INVALID_ARGUMENT',
    message: expect.stringContaining(`${name}-new`),
  });
});

test('every domain of a libvirt in the host file is listed; one that does not answer says so', async () => {
  const file = daemon.file('host.yaml');
  await writeFile(
    file,
    `vms: [{name: front, libvirt: "${daemon.uri}#${name}"}]\nlibvirt: ["${daemon.uri}", "qemu:///system?socket=/nowhere"]\n`,
  );
  const { code, stdout } = await cli('vms', '--json', '--host', file);
  expect(code).toBe(0);
  const { vms } = JSON.parse(stdout) as { vms: { name: string; state: string; uuid: string | null }[] };
  const found = Object.fromEntries(vms.map((vm) => [vm.name, vm.state]));
  expect(found).toMatchObject({ front: 'running', 'libvirt:qemu:///system?socket=/nowhere': 'silent' });
  expect(vms.map((vm) => vm.name)).not.toContain(name);
  expect(found['web1']).toBeDefined();
  expect((await cli('doctor', address)).code).toBe(0);
});

test('doctor looks over every domain of a libvirt, and tells what is worth knowing of one', async () => {
  await using vm = await openVm({ address: address });
  await vm.enable();
  await vm.close();
  await daemon.virsh('destroy', name, '--graceful');
  await qemuImg('snapshot', '-c', 'before', images[0]!);
  await daemon.virsh('start', name);
  const { code, stdout } = await cli('doctor', `libvirt:${daemon.uri}`, '--json');
  const { disks } = JSON.parse(stdout) as {
    disks: { disk: string; findings: { level: string; message: string; advice?: string }[] }[];
  };
  const of = (disk: string) => disks.find((one) => one.disk === disk)?.findings;
  expect(of(`${address}#vda`)).toMatchObject([{ level: 'ok' }]);
  expect(of(`sessions on ${address}`)).toMatchObject([
    { level: 'note', message: expect.stringContaining('internal snapshots (before)') },
  ]);
  expect(disks.length).toBeGreaterThan(10);
  expect(code).toBe(0);
});
