/**
 * A VM whose QEMU is reached by no QMP socket: another port and another host (test/helpers/pipePort.ts) carry a whole session,
 * questions outside one, and the end of a session that was left.
 */
import { execFile } from 'node:child_process';
import { openSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { readLease, writeLease } from '../../../../../lib/backend/qemu/own/lease.js';
import { undo } from '../../../../../lib/backend/qemu/session/guardWork.js';
import { connectionOver } from '../../../../../lib/backend/qemu/vmConnection.js';
import { VmHandle } from '../../../../../lib/backend/qemu/vmHandle.js';
import type { WayToQemu } from '../../../../../lib/backend/qemu/wayToQemu.js';
import { loadKernel } from '../../../../../lib/kernel/load.js';
import { isHeld } from '../../../../../lib/linux/kernelLock.js';
import { buildProgram } from '../../../../helpers/builtProgram.js';
import { eventually } from '../../../../helpers/eventually.js';
import { OwnedHost, PipeOwner, PipePort } from '../../../../helpers/pipePort.js';
import type { QemuProcess } from '../../../../helpers/qemuProcess.js';
import { guestIo, startQemuSystem } from '../../../../helpers/qemuSystem.js';
import { qemuImg, qemuIo } from '../../../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const MiB = 2 ** 20;
let folder: TemporaryFolder;
/** Where everything for this VM's QEMU goes. */
let place: string;
let qemu: QemuProcess;
let owner: PipeOwner;
let host: OwnedHost;
let port: PipePort;
let vm: VmHandle;

async function start(): Promise<void> {
  qemu = await startQemuSystem(
    [
      ...['-blockdev', 'driver=qcow2,node-name=a,file.driver=file,file.filename=a.qcow2'],
      ...['-device', 'virtio-blk-pci,drive=a,id=disk'],
    ],
    folder.path,
  );
  owner = await PipeOwner.start(qemu.qmpPath, join(folder.path, 'pipe'));
}

async function connect(): Promise<void> {
  host = new OwnedHost('web', place);
  port = await PipePort.connect(owner.path, host);
  const connection = connectionOver(port);
  vm = new VmHandle(connection, await loadKernel());
}

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  place = join(folder.path, 'place');
  await mkdir(place);
  // Nothing of it may go where a socket's VM has it.
  await mkdir(join(folder.path, 'tmp'));
  vi.stubEnv('TMPDIR', join(folder.path, 'tmp'));
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, 'a.qcow2'), '16M');
  await start();
  await connect();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await vm.close();
  await owner[Symbol.asyncDispose]();
  await qemu[Symbol.asyncDispose]();
  await folder.remove();
});

const write = (byte: number, mebibyte: number): Promise<void> =>
  guestIo(qemu, '/machine/peripheral/disk/virtio-backend', `write -P ${byte} ${mebibyte}M 1M`);
async function enable(): Promise<string> {
  const { pit } = await vm.enable();
  return String(pit);
}
const changed = async (from: string): Promise<number[]> => {
  await using disk = await vm.openDisk('disk');
  return Array.from(await (await disk.changes({ from })).ranges());
};

test('a session, and questions outside one', async () => {
  expect(vm.key).toBe('web');
  const pit = await enable();
  await write(1, 2);
  expect(await changed(pit)).toEqual([2 * MiB, MiB]);
  // The folder of the question's server.
  expect(host.owned.map((made) => made.startsWith(`${place}/cbt-q-`))).toEqual([true]);
  const session = await vm.begin();
  const [name = ''] = await readdir(place);
  expect(host.owned[1]).toBe(join(place, name));
  expect(await readLease(join(place, name))).toMatchObject({
    key: 'web',
    vm: 'pipe:web',
    owner: { pid: process.pid },
  });
  await write(3, 2);
  await using disk = await session.openDisk('disk');
  expect(Array.from(await (await disk.changes({ from: pit })).ranges())).toEqual([2 * MiB, MiB]);
  await qemuIo(['-r', '-f', 'raw', session.disks[0]?.unsafeExportUri ?? ''], 'read -P 1 2M 1M');
  await session.check();
  await session.commit();
  expect(await changed(session.pit)).toEqual([2 * MiB, MiB]);
  expect(await readdir(place)).toEqual([]);
  expect(
    (await readdir(join(folder.path, 'tmp'))).filter((name) => !name.startsWith('cbt-process-')),
  ).toEqual([]);
});

test('tracking that has started is told, also where its owner cannot say what it means', async () => {
  vi.spyOn(host, 'riskOfTracking').mockRejectedValueOnce(new Error('it is silent'));
  expect(await vm.enable()).toMatchObject({
    disks: [{ disk: 'disk', changeId: expect.any(String) }],
    warnings: [expect.stringContaining('it is silent')],
  });
});

test('what its owner is doing keeps a session off', async () => {
  host.job = 'the VM is being migrated';
  await expect(vm.begin()).rejects.toMatchObject({
    code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    reason: 'BUSY',
    message: expect.stringContaining('the VM is being migrated'),
  });
  expect(await readdir(place)).toEqual([]);
});

test('a session whose port was cut is found by its key, and rolled back', async () => {
  const pit = await enable();
  const left = await vm.begin();
  await write(1, 4);
  const gone = port.ended;
  port.cut();
  await gone;
  await vm.close();
  await connect();
  // Its guard knows no way to this QEMU, and leaves it to whoever comes.
  const session = await vm.begin();
  expect(session.disks).toMatchObject([{ verdict: 'incremental', base: pit }]);
  await session.rollback();
  expect(await changed(pit)).toEqual([4 * MiB, MiB]);
  await expect(changed(left.pit)).rejects.toMatchObject({ reason: 'UNKNOWN_PIT' });
  expect(await readdir(place)).toEqual([]);
});

test('a guard ends a session by the way that its record leads, and thaws its guest by it', async () => {
  const pit = await enable();
  const left = await vm.begin();
  await write(1, 4);
  const gone = port.ended;
  port.cut();
  await gone;
  await vm.close();
  const [name = ''] = await readdir(place);
  const session = join(place, name);
  // Its own guard knows no such way, and has given it up.
  await eventually(async () => expect(await isHeld(join(session, 'owner.lock'))).toBe(false));
  const lease = await readLease(session);
  await writeLease(session, { ...lease!, frozen: { agent: 'the guest of web', since: 'then' } });
  const asked: string[] = [];
  const findWay = async (address: string): Promise<WayToQemu> => ({
    address,
    identity: async () => address,
    connect: async () => PipePort.connect(owner.path, new OwnedHost('web', place)),
    thawLeft: async (agent) => asked.push(address, agent) > 0,
  });
  await undo(session, openSync('/dev/null', 'r'), findWay);
  expect(asked).toEqual(['pipe:web', 'the guest of web']);
  await connect();
  expect(await readdir(place)).toEqual([]);
  expect(await changed(pit)).toEqual([4 * MiB, MiB]);
  await expect(changed(left.pit)).rejects.toMatchObject({ reason: 'UNKNOWN_PIT' });
});

test('a session whose process was killed is rolled back by the next', async () => {
  const pit = await enable();
  const { path, env, remove } = await buildProgram(join(import.meta.dirname, 'doomedPipe.mjs'));
  onTestFinished(remove);
  const told = { pipe: owner.path, key: 'web', place };
  const killed = promisify(execFile)(process.execPath, [path, JSON.stringify(told)], { env });
  await expect(killed).rejects.toMatchObject({ signal: 'SIGKILL', stderr: '' });
  await write(1, 4);
  expect(await readdir(place)).toHaveLength(1);
  const session = await vm.begin();
  expect(session.disks).toMatchObject([{ verdict: 'incremental', base: pit }]);
  await session.commit();
  expect(await changed(pit)).toEqual([4 * MiB, MiB]);
  expect(await readdir(place)).toEqual([]);
});

test('a session that was left when QEMU stopped is found by its key when it runs again', async () => {
  const pit = await enable();
  const left = await vm.begin({ detached: true, allowUnwatchedScratch: true });
  await write(1, 4);
  await vm.close();
  await qemu.terminate();
  await owner[Symbol.asyncDispose]();
  await qemu[Symbol.asyncDispose]();
  expect(await readdir(place)).toHaveLength(1);
  await start();
  await connect();
  const session = await vm.begin();
  expect(session.disks).toMatchObject([{ verdict: 'incremental', base: pit }]);
  await session.commit();
  await expect(changed(left.pit)).rejects.toMatchObject({ reason: 'UNKNOWN_PIT' });
  expect(await readdir(place)).toEqual([]);
});
