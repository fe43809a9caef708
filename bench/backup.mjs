// How fast a backup is beside QEMU's own ways: an incremental one against `blockdev-backup sync=bitmap` into a qcow2 file, a
// full one against `qemu-img convert` of an export of the same disk. A qemu-storage-daemon is the running QEMU. Both sides
// end with their file on stable storage; ours is the whole command, from its start to the committed point in time.
import { execFile, spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connectVm } from 'qemu-cbt';
import { QmpClient } from '../dist/backend/qemu/qmp/qmpClient.js';
import { changeCommands, DISK_BYTES, fillCommands, sync } from './backupLoad.mjs';
import { run, summary, timedCommand } from './measure.mjs';

const exec = promisify(execFile);
const bin = fileURLToPath(new URL('../bin/qemu-cbt.js', import.meta.url));
const RUNS = 5;

export async function backupCases(work, only = '') {
  if (!'backup'.includes(only)) return [];
  const folder = join(work, 'backup');
  await mkdir(folder);
  const vm = await Vm.start(folder);
  try {
    const rows = [await fullCase(vm, folder), await incrementalCase(vm, folder)];
    return rows;
  } finally {
    await vm.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function fullCase(vm, folder) {
  const ours = [];
  const peers = [];
  let peakMiB = 0;
  const target = join(folder, 'peer.qcow2');
  for (let i = 0; i < 3; i += 1) {
    const to = join(folder, 'full');
    const one = await timedCommand(vm.backup(to, '--full'), { runs: 1, warmup: 0 });
    ours.push(one.median);
    peakMiB = Math.max(peakMiB, one.peakMiB);
    await rm(to, { recursive: true });
    peers.push(await vm.convert(target));
    await rm(target);
  }
  return row('full backup, 20 GiB disk with 4 GiB of data', ours, peers, 'qemu-img convert', peakMiB);
}

async function incrementalCase(vm, folder) {
  const to = join(folder, 'incremental');
  await run(process.execPath, vm.backup(to).slice(1));
  await vm.qmp('block-dirty-bitmap-add', { node: 'a', name: 'peer' });
  const ours = [];
  const peers = [];
  let peakMiB = 0;
  for (let i = 0; i < RUNS; i += 1) {
    await vm.io(changeCommands(i + 1));
    const ourTurn = async () => {
      const one = await timedCommand(vm.backup(to), { runs: 1, warmup: 0 });
      ours.push(one.median);
      peakMiB = Math.max(peakMiB, one.peakMiB);
    };
    const peerTurn = async () => peers.push(await vm.bitmapBackup(join(folder, `peer-${i}.qcow2`)));
    // Who goes first finds the disk's pages colder.
    if (i % 2 === 0) await ourTurn();
    await peerTurn();
    if (i % 2 === 1) await ourTurn();
  }
  return row('incremental backup, live 20 GiB disk, 5 % changed', ours, peers, 'blockdev-backup', peakMiB);
}

function row(name, ours, peers, peer, peakMiB) {
  const a = summary(ours);
  const b = summary(peers);
  const ratio = b.median / a.median;
  return {
    case: name,
    ours: a,
    peer: b,
    note: `${ratio.toFixed(2)}× ${peer}, peak ${peakMiB.toFixed(0)} MiB`,
    wanted: '≥ 0.8×, ≤ 256 MiB',
    holds: ratio >= 0.8 && peakMiB <= 256,
  };
}

class Vm {
  constructor(folder, child, client) {
    this.folder = folder;
    this.child = child;
    this.client = client;
    this.nbd = join(folder, 'nbd.sock');
    this.uri = `nbd+unix:///a?socket=${this.nbd}`;
  }

  static async start(folder) {
    const image = join(folder, 'disk.qcow2');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(DISK_BYTES)]);
    const own = join(folder, 'own.sock');
    const qmp = join(folder, 'qmp.sock');
    const child = spawn(
      'qemu-storage-daemon',
      [
        ['--blockdev', `driver=qcow2,node-name=a,file.driver=file,file.filename=${image}`],
        ['--chardev', `socket,id=own,path=${own},server=on,wait=off`, '--monitor', 'chardev=own'],
        ['--chardev', `socket,id=qmp,path=${qmp},server=on,wait=off`, '--monitor', 'chardev=qmp'],
        ['--pidfile', join(folder, 'pid')],
      ].flat(),
      { stdio: 'inherit' },
    );
    await exec('sh', ['-c', `until [ -e "$1" ]; do sleep 0.05; done`, 'sh', join(folder, 'pid')]);
    const vm = new Vm(folder, child, await QmpClient.connect(own));
    await vm.qmp('nbd-server-start', { addr: { type: 'unix', data: { path: vm.nbd } } });
    const exported = { type: 'nbd', id: 'guest', 'node-name': 'a', name: 'a', writable: true };
    await vm.qmp('block-export-add', exported);
    await vm.io(fillCommands());
    return vm;
  }

  qmp(command, args) {
    return this.client.execute(command, args);
  }

  /** Writes of a guest: commands of qemu-io. */
  async io(commands) {
    await run('qemu-io', ['-f', 'raw', ...commands.flatMap((command) => ['-c', command]), this.uri]);
  }

  backup(to, ...more) {
    const vm = ['--vm', join(this.folder, 'qmp.sock'), '--nbd-socket', this.nbd, '--scratch', this.folder];
    return [process.execPath, bin, 'backup', ...vm, '--to', to, '--json', ...more];
  }

  /** qemu-img's copy of a session's export, as ours reads one; milliseconds, without the session's begin and end. */
  async convert(file) {
    const vm = await connectVm(join(this.folder, 'qmp.sock'), { nbdSocket: this.nbd });
    const session = await vm.begin({ scratch: { folder: this.folder }, nbdSocket: this.nbd });
    const started = performance.now();
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', session.disks[0].unsafeExportUri, file]);
    await sync(file);
    const took = performance.now() - started;
    await session.rollback();
    await vm.close();
    return took;
  }

  /** QEMU's own incremental backup into a qcow2 file of its own making; milliseconds. */
  async bitmapBackup(file) {
    const started = performance.now();
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', file, String(DISK_BYTES)]);
    await this.qmp('blockdev-add', {
      driver: 'qcow2',
      'node-name': 'target',
      file: { driver: 'file', filename: file },
    });
    await this.qmp('blockdev-backup', {
      'job-id': 'peer',
      device: 'a',
      target: 'target',
      sync: 'bitmap',
      bitmap: 'peer',
      'bitmap-mode': 'on-success',
      'auto-dismiss': true,
    });
    while ((await this.qmp('query-jobs')).length > 0) await new Promise((done) => setTimeout(done, 5));
    await this.qmp('blockdev-del', { 'node-name': 'target' });
    await sync(file);
    const took = performance.now() - started;
    await rm(file);
    return took;
  }

  async stop() {
    await this.client.close();
    this.child.kill('SIGTERM');
    await new Promise((done) => this.child.once('close', done));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { mkdtemp } = await import('node:fs/promises');
  const work = await mkdtemp(join((await import('node:os')).tmpdir(), 'cbt-bench-'));
  try {
    for (const result of await backupCases(work)) console.log(JSON.stringify(result));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
