/**
 * The service of the examples with real QEMUs: it is killed and started again, QEMUs die and come back, runs are called off, and it ends in order.
 * SERVICE_VMS and SERVICE_MINUTES make it long (`npm run torture -- service`): then its memory has to stay what it was.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { verify } from '../../../lib/backup/index.js';
import { freshBuild } from '../../helpers/builtCommand.js';
import { guardsBelow } from '../../helpers/guards.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const VMS = Number(process.env['SERVICE_VMS'] ?? 3);
const MINUTES = Number(process.env['SERVICE_MINUTES'] ?? 0);
const EXAMPLE = fileURLToPath(new URL('../../../examples/backup-service.mjs', import.meta.url));
/** What may come and go of memory that nobody holds; a leak of a run's size is far more over half an hour. */
const MEMORY_KIB = 64 * 1024;

/** Every VM has its turn, eight at a time. */
const eventually = <T>(look: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(look, { timeout: 60_000 * (1 + VMS / 4), interval: 50 });

interface Told {
  event: string;
  vm?: string;
  state?: string;
  disks?: { verdict: string; reason?: string }[];
  error?: { code: string | null; recovery: string };
}

let folder: TemporaryFolder;
let daemons: StorageDaemon[];
let service: ChildProcess | null;
const names = Array.from({ length: VMS }, (_, n) => `vm${n}`);

/** At the same address each time. */
async function startVm(n: number): Promise<void> {
  const file = join(folder.path, `${names[n]}.qcow2`);
  const own = join(folder.path, `q${n}`);
  await mkdir(own, { recursive: true });
  daemons[n] = await StorageDaemon.start({ disks: [{ node: 'vda', file }], folder: own });
  await daemons[n].exportWritable('vda');
}

async function configure(everyMs: number, giveUpMs = 60_000): Promise<string> {
  const vms = Object.fromEntries(
    names.map((name, n) => [
      name,
      { address: daemons[n]?.process.qmpPath, nbdSocket: daemons[n]?.nbdPath, group: `storage-${n % 4}` },
    ]),
  );
  const file = join(folder.path, 'service.json');
  const folderOfRuns = join(folder.path, 'backups');
  await writeFile(file, JSON.stringify({ folder: folderOfRuns, everyMs, giveUpMs, keep: 3, vms }));
  return file;
}

function startService(file: string): { child: ChildProcess; told: Told[]; ended: Promise<unknown[]> } {
  const child = spawn(process.execPath, [EXAMPLE, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  service = child;
  const told: Told[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => told.push(JSON.parse(line) as Told));
  return { child, told, ended: once(child, 'close') };
}

beforeEach(async () => {
  await freshBuild();
  folder = await makeTemporaryFolder();
  daemons = [];
  service = null;
  for (const [n, name] of names.entries()) {
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, `${name}.qcow2`), '4M');
    await startVm(n);
  }
});
afterEach(async () => {
  service?.kill('SIGKILL');
  for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
  await eventually(async () => expect(await guardsBelow(folder.path)).toEqual([]));
  await folder?.remove();
});

const runsOf = (told: readonly Told[], vm: string): Told[] =>
  told.filter((one) => one.event === 'run' && one.vm === vm);

test(`${VMS} VMs: killed and started again, a QEMU lost, runs called off, an end in order; ${MINUTES} minutes`, async () => {
  const file = await configure(200);
  const first = startService(file);
  await eventually(() => {
    for (const vm of names) expect(runsOf(first.told, vm).length).toBeGreaterThanOrEqual(2);
  });
  for (const vm of names) {
    expect(runsOf(first.told, vm)[0]?.disks).toMatchObject([{ verdict: 'full' }]);
    expect(runsOf(first.told, vm)[1]?.disks).toMatchObject([{ verdict: 'incremental' }]);
  }

  // Its process is killed, in the middle of whatever it was: the next one goes on.
  first.child.kill('SIGKILL');
  await first.ended;
  await daemons[1]?.guestIo('vda', 'write -P 7 1M 128k');
  const second = startService(file);
  await eventually(() => {
    for (const vm of names) expect(runsOf(second.told, vm).length).toBeGreaterThanOrEqual(1);
  });
  for (const vm of names)
    expect(runsOf(second.told, vm)[0]?.disks).toMatchObject([{ verdict: 'incremental' }]);

  // A QEMU is killed: its VM is lost, and the others are not; it comes back, and its history is over.
  await daemons[0]?.process.kill();
  await eventually(() =>
    expect(second.told).toContainEqual(expect.objectContaining({ event: 'state', vm: 'vm0', state: 'lost' })),
  );
  // What ended until then was of the history that is over.
  const before = runsOf(second.told, 'vm0').length;
  const others = runsOf(second.told, 'vm1').length;
  await eventually(() => expect(runsOf(second.told, 'vm1').length).toBeGreaterThan(others));
  await daemons[0]?.[Symbol.asyncDispose]();
  await startVm(0);
  await eventually(() => expect(runsOf(second.told, 'vm0').length).toBeGreaterThan(before + 1));
  const [back, then] = runsOf(second.told, 'vm0').slice(before);
  expect([back?.disks, then?.disks]).toMatchObject([
    [{ verdict: 'full', reason: expect.any(String) }],
    [{ verdict: 'incremental' }],
  ]);
  second.child.kill('SIGTERM');
  expect(await second.ended).toEqual([0, null]);
  expect(second.told.at(-1)).toEqual({ event: 'stopped' });

  // Runs that take too long are called off, and leave nothing.
  const hasty = startService(await configure(50, 1));
  await eventually(() => {
    for (const vm of names)
      expect(hasty.told.filter((one) => one.event === 'failed' && one.vm === vm).length).toBeGreaterThan(0);
  });
  expect(hasty.told.filter(({ event }) => event === 'run')).toEqual([]);
  hasty.child.kill('SIGTERM');
  expect(await hasty.ended).toEqual([0, null]);

  const last = startService(await configure(MINUTES === 0 ? 200 : 2_000));
  await eventually(() => {
    for (const vm of names) expect(runsOf(last.told, vm).length).toBeGreaterThanOrEqual(1);
  });
  for (const vm of names) expect(runsOf(last.told, vm)[0]?.disks).toMatchObject([{ verdict: 'incremental' }]);
  await stayFlat(Number(last.child.pid), last.told);
  last.child.kill('SIGTERM');
  expect(await last.ended).toEqual([0, null]);

  for (const [n, vm] of names.entries()) {
    const jobs = await daemons[n]?.process.control.execute('query-jobs');
    expect([vm, jobs]).toEqual([vm, []]);
    const { problems } = await verify({ from: join(folder.path, 'backups', vm) });
    expect([vm, problems]).toEqual([vm, []]);
  }
});

/** For so many minutes, in which a QEMU dies each minute: what the service's process takes is not more in the end than after the first tenth. */
async function stayFlat(pid: number, told: Told[]): Promise<void> {
  if (MINUTES === 0) return;
  const looks: number[] = [];
  const end = Date.now() + MINUTES * 60_000;
  for (let n = 0; Date.now() < end; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    looks.push(Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]));
    if (n % 6 !== 5) continue;
    // Another one each time, which is at the same address at once.
    const victim = 1 + (Math.floor(n / 6) % (VMS - 1));
    await daemons[victim]?.process.control.execute('quit').catch(() => undefined);
    await daemons[victim]?.process.ended;
    await daemons[victim]?.[Symbol.asyncDispose]();
    await startVm(victim);
  }
  const tenth = Math.max(1, Math.floor(looks.length / 10));
  const median = (some: number[]): number => some.toSorted((a, b) => a - b)[Math.floor(some.length / 2)] ?? 0;
  const early = median(looks.slice(tenth, 3 * tenth));
  const late = median(looks.slice(-2 * tenth));
  const runs = told.filter(({ event }) => event === 'run').length;
  const lost = told.filter(({ state }) => state === 'lost').length;
  console.log(JSON.stringify({ minutes: MINUTES, vms: VMS, runs, lost, earlyKib: early, lateKib: late }));
  expect(late - early, looks.join(' ')).toBeLessThan(MEMORY_KIB);
}
