/** What happens in a VM's life, one step at a time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { descendants } from '../helpers/processes.js';
import {
  amend,
  externalSnapshot,
  folderCopies,
  foreignBitmap,
  internalSnapshot,
  migrate,
  resize,
} from './othersSteps.js';
import { ask, mendByDoctor, restore } from './questions.js';
import { expectNoWarningsIn } from './warnings.js';
import { NAMES, type Run, type World } from './world.js';

const COMMAND = resolve(import.meta.dirname, '../../bin/qemu-cbt.js');
/** Most commands are done by then. */
const LATEST_KILL_MS = 600;

const GRANULARITIES = ['512', '4096', '32768', '1048576', '4194304'];

type Step = (world: World) => Promise<void>;

interface DiskResult {
  disk: string;
  changeId?: string;
  error?: unknown;
}

/** How likely each step is; what is left out while the VM runs, or while it is off, says so. */
const STEPS: readonly { weight: number; when?: 'on' | 'off' | 'system'; name: string; step: Step }[] = [
  { weight: 20, name: 'write', step: (world) => world.write(world.pick(NAMES)) },
  { weight: 6, when: 'off', name: 'start', step: (world) => world.start() },
  { weight: 1, when: 'off', name: 'start of a system', step: (world) => world.start('system') },
  { weight: 6, when: 'on', name: 'stop', step: (world) => world.stop() },
  { weight: 2, when: 'on', name: 'crash', step: (world) => world.crash() },
  { weight: 10, when: 'system', name: 'migrate', step: migrate },
  { weight: 4, when: 'off', name: 'copy aside', step: (world) => world.copyAside(world.pick(NAMES)) },
  { weight: 4, when: 'off', name: 'put back', step: putBack },
  { weight: 3, when: 'off', name: 'exchange', step: (world) => world.exchange() },
  { weight: 4, name: 'resize', step: resize },
  { weight: 2, when: 'off', name: 'bitmap of others', step: foreignBitmap },
  { weight: 2, when: 'off', name: 'internal snapshot', step: internalSnapshot },
  { weight: 1, when: 'off', name: 'amend', step: amend },
  { weight: 2, name: 'external snapshot', step: externalSnapshot },
  { weight: 2, name: 'folder copies', step: folderCopies },
  { weight: 3, name: 'enable', step: enable },
  { weight: 1, name: 'reset', step: (world) => point(world, 'reset') },
  { weight: 6, name: 'session', step: (world) => session(world) },
  { weight: 4, name: 'forget', step: forget },
  { weight: 12, name: 'backup', step: backup },
  { weight: 3, name: 'killed', step: (world) => dying(world, kill) },
  { weight: 2, name: 'helper killed', step: (world) => dying(world, (pid) => killHelper(world, pid)) },
  { weight: 4, name: 'prune', step: prune },
  { weight: 3, name: 'restore', step: restoreOne },
  { weight: 4, name: 'full disk', step: full },
];

/** A step that fits, by its weight; then what is true must still be. */
export async function step(world: World): Promise<string> {
  const { machine } = world;
  const fitting = STEPS.filter(
    ({ when }) =>
      when === undefined ||
      (when === 'off' ? machine === null : machine !== null && (when === 'on' || machine.migrates)),
  );
  let draw = world.random(fitting.reduce((sum, { weight }) => sum + weight, 0));
  const drawn = fitting.find(({ weight }) => {
    draw -= weight;
    return draw < 0;
  });
  if (drawn === undefined) throw new Error('no step fits');
  world.note(`-- ${drawn.name}`);
  await drawn.step(world);
  await ask(world, 2);
  return drawn.name;
}

async function putBack(world: World): Promise<void> {
  if (world.copies.length === 0) return world.copyAside(world.pick(NAMES));
  return world.putBack(world.pick(NAMES), world.random(world.copies.length));
}

async function point(world: World, command: 'enable' | 'reset'): Promise<void> {
  const granularity = world.random(3) === 0 ? ['--granularity', world.pick(GRANULARITIES)] : [];
  const { result } = await world.ask(command, ...world.subjectsOfTracking(), ...granularity);
  const { pit, disks } = (result ?? { pit: null, disks: [] }) as { pit: string | null; disks: DiskResult[] };
  for (const { disk, changeId, error } of disks)
    if (error === undefined && changeId !== undefined) world.remember(world.nameOf(disk), { changeId, pit });
}

function enable(world: World): Promise<void> {
  return point(world, 'enable');
}

export async function session(world: World, { must = false } = {}): Promise<void> {
  const running = world.machine !== null;
  const mode = world.random(3) === 0 ? ['--mode', 'overlay'] : [];
  const more = running ? ['--scratch-unwatched', ...mode] : [];
  const { code, result, said } = await world.ask('begin', ...world.subjects(), ...more);
  if (must) expect(code, said).toBe(0);
  if (code !== 0 && result === null) return;
  const { session: id, pit, disks } = result as { session: string; pit: string; disks: DiskResult[] };
  const begun = disks.filter(({ error }) => error === undefined);
  if (begun.length === 0) return;
  const moments = begun.map(({ disk, changeId }) => ({
    name: world.nameOf(disk),
    changeId,
    sectors: Uint8Array.from(world.state(world.nameOf(disk)).sectors),
  }));
  if (running) for (let n = world.random(3); n > 0; n -= 1) await world.write(world.pick(NAMES));
  const keep = world.random(2) === 0;
  const subjects = running ? world.subjectsOfTracking() : begun.map(({ disk }) => disk);
  const ended = await world.ask(keep ? 'commit' : 'rollback', ...subjects, '--session', id);
  // Where the point alone told of a shrink, tracking ends with it (ADR 4).
  const lost = !keep && /tells that the disk shrank/.test(ended.said);
  if (!lost) expect(ended.code, ended.said).toBe(0);
  if (!keep) return;
  for (const { name, changeId, sectors } of moments)
    if (changeId !== undefined) world.rememberAs(name, { changeId, pit, sectors });
}

async function forget(world: World): Promise<void> {
  if (world.moments.length === 0) return;
  const { changeId, pit } = world.pick(world.moments);
  const which = world.random(2) === 0 ? changeId : pit;
  await world.ask('forget', '--point', which, ...world.subjectsOfTracking());
}

interface BackupJson {
  run: number | null;
  pit: string | null;
  disks: (DiskResult & { file?: string })[];
}

export async function backup(world: World): Promise<void> {
  const full = world.random(6) === 0 ? ['--full'] : [];
  const { result } = await world.ask('backup', ...world.subjects(), '--to', world.backups, ...full);
  if (result === null) return;
  const { run, pit, disks } = result as BackupJson;
  if (run === null || pit === null) return;
  const made: Run = { run, pit, disks: new Map() };
  for (const { disk, changeId, error } of disks) {
    if (error !== undefined) continue;
    const name = world.nameOf(disk);
    made.disks.set(disk, Uint8Array.from(world.state(name).sectors));
    if (typeof changeId === 'string') world.remember(name, { changeId, pit });
  }
  world.runs.push(made);
  if (world.pruning) await learnRuns(world, false);
}

/**
 * Something dies at any moment of a backup, a session or a prune: the command, or what it has started. What was begun is
 * finished or undone by whoever comes next.
 */
async function dying(world: World, die: (pid: number) => void): Promise<void> {
  const begun = world.pick([
    ['backup', ...world.subjects(), '--to', world.backups],
    ['prune', '--from', world.backups, '--keep-last', '2'],
    ['begin', ...world.subjects(), ...(world.machine === null ? [] : ['--scratch-unwatched'])],
    ['reset', ...world.subjectsOfTracking()],
  ]);
  const child = spawn(process.execPath, [COMMAND, ...begun], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'close');
  await Promise.race([ended, sleep(world.random(LATEST_KILL_MS))]);
  die(child.pid ?? -1);
  const [code, signal] = await ended;
  world.note(`${begun[0]} -> ${code ?? signal}`);
  expect(code, said).not.toBe(1);
  expectNoWarningsIn(said);
  const pruned = begun[0] === 'prune';
  if (pruned) world.pruning = true;
  await world.quiet();
  await mendByDoctor(world);
  await learnRuns(world, begun[0] === 'backup');
  if (pruned && code === 0) world.pruning = false;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended before.
  }
}

/** One of the programs that the command has at work, if it has one just now. */
function killHelper(world: World, pid: number): void {
  const helpers = descendants(pid);
  if (helpers.length === 0) return;
  const helper = world.pick(helpers);
  world.note(`killed ${helper.command.replaceAll(world.folder, '.').slice(0, 100)}`);
  kill(helper.pid);
}

/** Which runs there are after a kill: none that was complete may be gone, unless a prune takes it, and one may have been completed. */
export async function learnRuns(world: World, mayBeNew: boolean): Promise<void> {
  const names = await readdir(world.backups).catch(() => []);
  const found = new Map<string, { run: number; disks: { disk: string; changeId?: string | null }[] }>();
  for (const name of names) {
    if (!/^run-\d+\.json$/.test(name)) continue;
    const { pit, run, disks } = JSON.parse(await readFile(join(world.backups, name), 'utf8'));
    found.set(pit, { run, disks });
  }
  for (const [pit, { run, disks }] of found) {
    if (world.runs.some((known) => known.pit === pit)) continue;
    expect(mayBeNew, `run ${run} came from nowhere`).toBe(true);
    const made: Run = { run, pit, disks: new Map() };
    for (const { disk, changeId } of disks) {
      const name = world.nameOf(disk);
      made.disks.set(disk, Uint8Array.from(world.state(name).sectors));
      const known = world.moments.some((moment) => moment.changeId === changeId);
      if (typeof changeId === 'string' && !known) world.remember(name, { changeId, pit });
    }
    world.runs.push(made);
  }
  world.runs = world.runs.flatMap((known) => {
    const there = found.get(known.pit)?.disks.map(({ disk }) => disk) ?? [];
    const disks = new Map([...known.disks].filter(([disk]) => there.includes(disk)));
    // A prune takes the disks of a run one after the other.
    if (!world.pruning)
      expect([...disks.keys()], `run ${known.run} lost disks`).toEqual([...known.disks.keys()]);
    return disks.size === 0 ? [] : { ...known, disks };
  });
}

async function prune(world: World): Promise<void> {
  if (world.runs.length === 0) return;
  const last = String(1 + world.random(3));
  const subjects = world.subjectsOfTracking();
  const { code, result } = await world.ask(
    'prune',
    '--from',
    world.backups,
    ...subjects,
    '--keep-last',
    last,
  );
  if (code === 0) {
    const { kept, layers } = result as {
      kept: number[];
      layers: { run: number; disk: string; action: string }[];
    };
    // No rule keeps a run whose layer stays for others that build on it: its other disks go.
    const isGone = (run: number, disk: string): boolean =>
      layers.some((one) => one.run === run && one.disk === disk && one.action !== 'kept');
    world.runs = world.runs
      .filter(({ run }) => kept.includes(run))
      .map((known) => ({
        ...known,
        disks: new Map([...known.disks].filter(([disk]) => !isGone(known.run, disk))),
      }));
  } else world.pruning = true;
  await learnRuns(world, false);
  if (code === 0) world.pruning = false;
}

/** Something is begun and ended while there is no room; afterwards there is, and it is as if nothing had been. */
async function full(world: World): Promise<void> {
  const work = world.pick<Step>([session, backup, prune, forget, (one) => point(one, 'reset')]);
  await world.whileFull(() => work(world));
  await mendByDoctor(world);
  await learnRuns(world, work === backup);
}

async function restoreOne(world: World): Promise<void> {
  if (world.runs.length > 0) await restore(world, world.pick(world.runs));
}
