/** Who a VM is: its UUID, by whatever monitor; and two VMs that were given one UUID, as clones on one host are, keep out of each other's sessions. */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, rename, symlink } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Lease, readLease, writeLease } from '../../../../../lib/backend/qemu/own/lease.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { findVmLeftovers } from '../../../../../lib/host/vmLeftovers.js';
import { thisMachine } from '../../../../../lib/linux/machine.js';
import { ownMark } from '../../../../../lib/linux/processMark.js';
import type { QemuProcess } from '../../../../helpers/qemuProcess.js';
import { startQemuSystem } from '../../../../helpers/qemuSystem.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const UUID = 'AB0CADE6-8F1D-4D7B-9A5E-000000000001';
const KEY = UUID.toLowerCase();
let folder: TemporaryFolder;
/** What ends after a test, the last first. */
let started: AsyncDisposable[];
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  started = [];
});
afterEach(async () => {
  for (const one of started.reverse()) await one[Symbol.asyncDispose]();
  await folder.remove();
});

const at = (name: string): string => join(folder.path, name);

/** A VM with this UUID and image, in a folder of its own, with a second monitor. */
async function start(name: string, image: string): Promise<QemuProcess> {
  await mkdir(at(name), { recursive: true });
  const qemu = await startQemuSystem(
    [
      ...['-uuid', UUID],
      ...['-blockdev', `driver=qcow2,node-name=a,file.driver=file,file.filename=${image}`],
      ...['-device', 'virtio-blk-pci,drive=a,id=disk'],
      ...['-chardev', `socket,id=second,path=${at(name)}/second.sock,server=on,wait=off`],
      ...['-mon', 'chardev=second,mode=control'],
    ],
    at(name),
  );
  started.push(qemu);
  return qemu;
}

async function connect(socket: string): Promise<Vm> {
  const vm = await connectVm(socket);
  started.push(vm);
  return vm;
}

const folders = async (): Promise<string[]> =>
  (await readdir(folder.path)).filter((name) => name.startsWith('cbt-'));
const detached = () => ({
  detached: true,
  allowUnwatchedScratch: true,
  scratch: { folder: folder.path },
});

/** What a question leaves whose process was killed: its server, in this folder. */
async function leaveServer(qemu: QemuProcess): Promise<string> {
  const hash = createHash('sha256').update(KEY).digest('hex').slice(0, 8);
  const left = join(tmpdir(), `cbt-q-${(await ownMark()).slice(0, 8)}00000000-${hash}-abcdef`);
  await mkdir(left, { mode: 0o700 });
  const addr = { type: 'unix', data: { path: join(left, 'nbd.sock') } };
  await qemu.control.execute('nbd-server-start', { addr });
  return left;
}

describe('the key of a VM', () => {
  test('is its UUID, by whatever monitor; a server that a question left is found by either', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', at('a.qcow2'), '16M');
    const qemu = await start('vm', at('a.qcow2'));
    const vms = [await connect(qemu.qmpPath), await connect(qemu.file('second.sock'))];
    expect(vms.map(({ key }) => key)).toEqual([KEY, KEY]);
    const left = await leaveServer(qemu);
    const session = await vms[1]!.begin({ scratch: { folder: folder.path } });
    await session.commit();
    await expect(readdir(left)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('is the same behind a monitor that another program passes on, which is taken for no QEMU', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', at('a.qcow2'), '16M');
    const qemu = await start('vm', at('a.qcow2'));
    const proxy = net.createServer((client) => {
      const monitor = net.connect(qemu.qmpPath);
      client.pipe(monitor).pipe(client);
      for (const socket of [client, monitor]) socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => proxy.listen(at('proxy.sock'), resolve));
    started.push({ [Symbol.asyncDispose]: async () => void proxy.close() });
    const left = await leaveServer(qemu);
    const vm = await connect(at('proxy.sock'));
    expect(vm.key).toBe(KEY);
    const session = await vm.begin({ scratch: { folder: folder.path } });
    await session.commit();
    await expect(readdir(left)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('without a UUID it is the monitor’s path, by whatever link; a record of an older version is found by it', async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', at('a.qcow2'), '16M');
    const daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: at('a.qcow2') }] });
    started.push(daemon);
    const { qmpPath } = daemon.process;
    await symlink(qmpPath, at('link.sock'));
    const vm = await connect(at('link.sock'));
    expect(vm.key).toBe(qmpPath);
    const record: Omit<Lease, 'vm'> = {
      version: 1,
      session: '00000000-0000-4000-8000-000000000001',
      machine: await thisMachine(),
      mode: 'fleece',
      owner: null,
      created: 'then',
      taken: false,
      nbdSocket: at('nbd.sock'),
      ownServer: true,
      warnings: [],
      disks: [],
    };
    for (const [name, of] of Object.entries({
      'cbt-OLDOWN': { vm: qmpPath },
      'cbt-OLDNOT': { vm: at('another.sock') },
      'cbt-NEWOWN': { vm: at('moved.sock'), key: qmpPath },
      // Another VM had this socket then.
      'cbt-NEWNOT': { vm: qmpPath, key: KEY },
    })) {
      await mkdir(at(name), { mode: 0o700 });
      await writeLease(at(name), { ...record, ...of });
    }
    const session = await vm.begin({ scratch: { folder: folder.path } });
    await session.commit();
    expect((await folders()).sort()).toEqual(['cbt-NEWNOT', 'cbt-OLDNOT']);
  });
});

describe('two VMs with one UUID and copies of one image', () => {
  let vms: Vm[];
  let first: QemuProcess;
  let second: QemuProcess;
  beforeEach(async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', at('a.qcow2'), '16M');
    const made = await start('made', at('a.qcow2'));
    const vm = await connect(made.qmpPath);
    await vm.enable();
    await vm.close();
    await made.terminate();
    await copyFile(at('a.qcow2'), at('b.qcow2'));
    first = await start('a', at('a.qcow2'));
    second = await start('b', at('b.qcow2'));
    vms = [await connect(first.qmpPath), await connect(second.qmpPath)];
    expect(vms.map(({ key }) => key)).toEqual([KEY, KEY]);
  });

  test('a session that is open on one is not the other’s to end', async () => {
    const [a, b] = vms as [Vm, Vm];
    const open = await a.begin(detached());
    const [place = ''] = await folders();
    const before = await readdir(at(place));
    expect(await findVmLeftovers(second.qmpPath, { scratchFolder: folder.path })).toEqual([]);
    const other = await b.begin({ scratch: { folder: folder.path } });
    await other.commit();
    expect(await readdir(at(place))).toEqual(before);
    await open.check();
    await open.commit();
    expect(await folders()).toEqual([]);
  });

  test('the server that a question left in one is not the other’s to stop', async () => {
    const [a, b] = vms as [Vm, Vm];
    const left = await leaveServer(first);
    const session = await b.begin({ scratch: { folder: folder.path } });
    await session.commit();
    expect(await readdir(left)).toEqual(['nbd.sock']);
    const own = await a.begin({ scratch: { folder: folder.path } });
    await own.commit();
    await expect(readdir(left)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a record of a session whose QEMU is gone stays for the VM that has its image', async () => {
    const [a, b] = vms as [Vm, Vm];
    const open = await a.begin(detached());
    const [place = ''] = await folders();
    await a.close();
    await first.terminate();
    const other = await b.begin({ scratch: { folder: folder.path } });
    await other.commit();
    expect(await readLease(at(place))).toMatchObject({ session: open.pit, key: KEY });
    // Under another name, and by another monitor.
    await rename(at('a.qcow2'), at('moved.qcow2'));
    const again = await connect((await start('again', at('moved.qcow2'))).file('second.sock'));
    await using next = await again.begin({ scratch: { folder: folder.path } });
    // Nobody committed its point, which is no base.
    expect(next.disks).toMatchObject([{ verdict: 'incremental' }]);
    expect(next.disks[0]?.base).not.toBe(open.pit);
    expect(await folders()).not.toContain(place);
  });
});
