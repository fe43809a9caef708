// How fast our backup is beside virtnbdbackup's (Debian package, over libvirt), of the same disk of the same running VM. Both
// are whole commands from their start to the recorded point, and both end with their files on stable storage: ours syncs
// by itself, the peer's are synced on its clock. Not part of the figures: QEMU's own memory, and the peer's old checkpoint.
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  allocatedBytes,
  CHANGED_BYTES,
  changeCommands,
  DATA_BYTES,
  DISK_BYTES,
  fillCommands,
  MiB,
  syncFolder,
} from './backupLoad.mjs';
import { LibvirtVm, missingPrograms } from './libvirt.mjs';
import { run, summary, timedCommand } from './measure.mjs';

const bin = fileURLToPath(new URL('../bin/qemu-cbt.js', import.meta.url));
const FULL_RUNS = 3;
const INCREMENTAL_RUNS = 5;
const FULL = 'full backup beside virtnbdbackup, 20 GiB disk with 4 GiB of data';
const INCREMENTAL = 'incremental backup beside virtnbdbackup, 5 % changed';

export async function virtnbdbackupCases(only = '') {
  if (!'virtnbdbackup'.includes(only)) return [];
  const missing = missingPrograms(['virtnbdbackup']);
  if (missing.length > 0) {
    const note = `not run: ${missing.join(', ')} missing`;
    return [FULL, INCREMENTAL].map((name) => ({ case: name, note }));
  }
  // A short path of its own: libvirt puts sockets far below it, and a socket's path ends at 107 characters.
  const folder = await mkdtemp(join(tmpdir(), 'cbt-lv-'));
  const image = join(folder, 'disk.qcow2');
  let vm;
  // The VM is nobody's child: without this it would outlive an interrupted bench.
  const interrupted = () => {
    vm?.kill();
    rmSync(folder, { recursive: true, force: true });
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, interrupted);
  try {
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(DISK_BYTES)]);
    vm = new LibvirtVm(folder);
    await vm.start(image);
    await vm.io(fillCommands());
    const sides = { ours: new Ours(vm, folder), peer: new Peer(vm, folder) };
    const rows = [];
    await compare(sides, FULL_RUNS, async (side) => {
      await side.forget();
      return side.backup('full', DATA_BYTES);
    });
    rows.push(row(FULL, sides));
    // The chain goes on from the last full backup of each.
    await compare(
      sides,
      INCREMENTAL_RUNS,
      (side) => side.backup('incremental', CHANGED_BYTES),
      (i) => vm.io(changeCommands(i + 1)),
    );
    rows.push(row(INCREMENTAL, sides));
    return rows;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupted);
    await vm?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Who goes first finds the disk's pages colder: they take turns. */
async function compare({ ours, peer }, runs, measure, before = async () => undefined) {
  for (const side of [ours, peer]) side.results = [];
  for (let i = 0; i < runs; i += 1) {
    await before(i);
    for (const side of i % 2 === 0 ? [ours, peer] : [peer, ours]) side.results.push(await measure(side));
  }
}

function row(name, { ours, peer }) {
  const times = ({ results }) => summary(results.map(({ ms }) => ms));
  const most = ({ results }, key) => Math.max(...results.map((result) => result[key]));
  const [a, b] = [times(ours), times(peer)];
  const stored = (side) => (most(side, 'storedBytes') / MiB).toFixed(0);
  const peak = (side) => most(side, 'peakMiB').toFixed(0);
  return {
    case: name,
    ours: a,
    peer: b,
    note: `${(b.median / a.median).toFixed(2)}×, stored ${stored(ours)} against ${stored(peer)} MiB, peak ${peak(ours)} against ${peak(peer)} MiB; same VM, both through libvirt`,
  };
}

/** One program with its folder; `results` are those of the case under way. */
class Side {
  results = [];

  constructor(vm, folder, name) {
    this.vm = vm;
    this.scratch = folder;
    this.to = join(folder, name);
  }

  async backup(level, leastBytes) {
    const before = await allocatedBytes(this.to);
    const { median, peakMiB } = await timedCommand(this.command(level), { runs: 1, warmup: 0 });
    const started = performance.now();
    await syncFolder(this.to);
    const ms = median + performance.now() - started;
    const storedBytes = (await allocatedBytes(this.to)) - before;
    if (storedBytes < leastBytes)
      throw new Error(`${this.to}: ${storedBytes} bytes stored of ${leastBytes} that changed`);
    return { ms, peakMiB, storedBytes };
  }

  /** What earlier backups left, in the folder and in the VM: the next one is a first one. */
  async forget() {
    await rm(this.to, { recursive: true, force: true });
    await mkdir(this.to);
  }
}

class Ours extends Side {
  constructor(vm, folder) {
    super(vm, folder, 'ours');
  }

  command(level) {
    const from = ['--vm', this.vm.vm, '--scratch', this.scratch];
    return [process.execPath, bin, 'backup', ...from, '--to', this.to, '--json', `--${level}`];
  }
}

class Peer extends Side {
  constructor(vm, folder) {
    super(vm, folder, 'peer');
  }

  command(level) {
    const how = ['-d', 'bench', '-l', level === 'full' ? 'full' : 'inc', '-n'];
    const where = ['-S', this.scratch, '-f', join(this.scratch, 'peer.sock'), '-o', this.to];
    return this.vm.command('virtnbdbackup', '-U', 'qemu:///session', ...how, ...where);
  }

  async forget() {
    await super.forget();
    const names = (await this.vm.virsh('checkpoint-list', 'bench', '--name')).split('\n');
    for (const name of names.filter((line) => line !== ''))
      await this.vm.virsh('checkpoint-delete', 'bench', name);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const result of await virtnbdbackupCases()) console.log(JSON.stringify(result));
