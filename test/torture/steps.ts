/** What happens in a VM's life, one step at a time, and what is held against the world after it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { NAMES, type Run, UNIT, UNITS, unitsOf, type World } from './world.js';

const COMMAND = resolve(import.meta.dirname, '../../bin/qemu-cbt.js');

type Step = (world: World) => Promise<void>;

interface DiskResult {
  disk: string;
  changeId?: string;
  error?: unknown;
}

/** How likely each step is; what is left out while the VM runs, or while it is off, says so. */
const STEPS: readonly { weight: number; when?: 'on' | 'off'; name: string; step: Step }[] = [
  { weight: 20, name: 'write', step: (world) => world.write(world.pick(NAMES)) },
  { weight: 6, when: 'off', name: 'start', step: (world) => world.start() },
  { weight: 6, when: 'on', name: 'stop', step: (world) => world.stop() },
  { weight: 2, when: 'on', name: 'crash', step: (world) => world.crash() },
  { weight: 4, when: 'off', name: 'copy aside', step: (world) => world.copyAside(world.pick(NAMES)) },
  { weight: 4, when: 'off', name: 'put back', step: putBack },
  { weight: 3, when: 'off', name: 'exchange', step: (world) => world.exchange() },
  { weight: 3, name: 'enable', step: enable },
  { weight: 1, name: 'reset', step: (world) => point(world, 'reset') },
  { weight: 6, name: 'session', step: (world) => session(world) },
  { weight: 4, name: 'forget', step: forget },
  { weight: 12, name: 'backup', step: backup },
  { weight: 4, name: 'killed', step: killed },
  { weight: 4, name: 'prune', step: prune },
  { weight: 3, name: 'restore', step: restoreOne },
  { weight: 4, name: 'full disk', step: full },
];

/** A step that fits, by its weight; then what is true must still be. */
export async function step(world: World): Promise<void> {
  const state = world.daemon === null ? 'off' : 'on';
  const fitting = STEPS.filter(({ when }) => when === undefined || when === state);
  let draw = world.random(fitting.reduce((sum, { weight }) => sum + weight, 0));
  for (const { weight, name, step: run } of fitting) {
    draw -= weight;
    if (draw >= 0) continue;
    world.note(`-- ${name}`);
    await run(world);
    break;
  }
  await ask(world, 2);
}

/** Questions of any disk since any instant that anybody ever took: refused, or not short. */
export async function ask(world: World, questions: number): Promise<void> {
  if (world.moments.length === 0) return;
  for (let n = 0; n < questions; n += 1) {
    const name = world.pick(NAMES);
    const moment = world.pick(world.moments);
    // Up to now, or up to another instant.
    const to = world.random(3) === 0 ? world.pick(world.moments) : null;
    const upTo = to === null ? [] : ['--to', to.changeId];
    const { code, result } = await world.ask(
      'changes',
      ...world.disk(name),
      '--from',
      moment.changeId,
      ...upTo,
    );
    if (code !== 0) continue;
    const { areas } = result as { areas: { start: number; length: number }[] };
    const now = to?.units ?? world.state(name).units;
    for (let at = 0; at < UNITS; at += 1) {
      if (moment.units[at] === now[at]) continue;
      const covered = areas.some(
        ({ start, length }) => start <= at * UNIT && (at + 1) * UNIT <= start + length,
      );
      expect(
        covered,
        `unit ${at} of ${name} since ${moment.changeId} up to ${to?.changeId ?? 'now'} went from ${moment.units[at]} to ${now[at]}`,
      ).toBe(true);
    }
  }
}

async function putBack(world: World): Promise<void> {
  if (world.copies.length === 0) return world.copyAside(world.pick(NAMES));
  return world.putBack(world.pick(NAMES), world.random(world.copies.length));
}

async function point(world: World, command: 'enable' | 'reset'): Promise<void> {
  const { result } = await world.ask(command, ...subjectsOfTracking(world));
  const { pit, disks } = (result ?? { pit: null, disks: [] }) as { pit: string | null; disks: DiskResult[] };
  for (const { disk, changeId, error } of disks)
    if (error === undefined && changeId !== undefined) world.remember(world.nameOf(disk), { changeId, pit });
}

function enable(world: World): Promise<void> {
  return point(world, 'enable');
}

/** `--nbd-socket` and `--scratch` are for sessions only. */
function subjectsOfTracking(world: World): string[] {
  return world.daemon === null ? world.subjects() : ['--vm', world.daemon.process.qmpPath];
}

export async function session(world: World, { must = false } = {}): Promise<void> {
  const running = world.daemon !== null;
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
    units: Uint8Array.from(world.state(world.nameOf(disk)).units),
  }));
  if (running) for (let n = world.random(3); n > 0; n -= 1) await world.write(world.pick(NAMES));
  const keep = world.random(2) === 0;
  const subjects = running ? subjectsOfTracking(world) : begun.map(({ disk }) => disk);
  const ended = await world.ask(
    keep ? 'commit' : 'rollback',
    ...subjects,
    '--session',
    id,
    ...(running ? [] : []),
  );
  expect(ended.code, ended.said).toBe(0);
  if (!keep) return;
  for (const { changeId, units } of moments)
    if (changeId !== undefined) world.moments.push({ changeId, pit, units });
}

async function forget(world: World): Promise<void> {
  if (world.moments.length === 0) return;
  const { changeId, pit } = world.pick(world.moments);
  const subjects = subjectsOfTracking(world);
  const which = world.random(2) === 0 ? changeId : pit;
  await world.ask('forget', '--point', which, ...subjects);
}

interface BackupJson {
  run: number | null;
  pit: string | null;
  disks: (DiskResult & { file?: string })[];
}

export async function backup(world: World): Promise<void> {
  const { result } = await world.ask(
    'backup',
    ...world.subjects(),
    '--to',
    world.backups,
    ...(world.random(6) === 0 ? ['--full'] : []),
  );
  if (result === null) return;
  const { run, pit, disks } = result as BackupJson;
  if (run === null || pit === null) return;
  const made: Run = { run, pit, disks: new Map() };
  for (const { disk, changeId, error } of disks) {
    if (error !== undefined) continue;
    const name = world.nameOf(disk);
    made.disks.set(disk, Uint8Array.from(world.state(name).units));
    if (typeof changeId === 'string') world.remember(name, { changeId, pit });
  }
  world.runs.push(made);
}

/** The command dies at any moment of a backup, a session or a prune. What it began is finished or undone by whoever comes next. */
async function killed(world: World): Promise<void> {
  const begun = world.pick([
    ['backup', ...world.subjects(), '--to', world.backups],
    ['prune', '--from', world.backups, '--keep-last', '2'],
    ['begin', ...world.subjects(), ...(world.daemon === null ? [] : ['--scratch-unwatched'])],
    ['reset', ...subjectsOfTracking(world)],
  ]);
  const child = spawn(process.execPath, [COMMAND, ...begun], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  await Promise.race([ended, sleep(world.random(900))]);
  child.kill('SIGKILL');
  await ended;
  world.note(`${begun[0]} killed`);
  await world.quiet();
  await mendByDoctor(world);
  await learnRuns(world, begun[0] === 'backup');
}

/** Which runs there are after a kill: none that was complete may be gone, and one may have been completed. */
export async function learnRuns(world: World, mayBeNew: boolean): Promise<void> {
  const names = await readdir(world.backups).catch(() => []);
  const found = new Map<number, { pit: string; disks: { disk: string; changeId?: string | null }[] }>();
  for (const name of names) {
    const match = /^run-(\d+)\.json$/.exec(name);
    if (match !== null)
      found.set(Number(match[1]), JSON.parse(await readFile(join(world.backups, name), 'utf8')));
  }
  for (const [run, { pit, disks }] of found) {
    if (world.runs.some((known) => known.pit === pit)) continue;
    expect(mayBeNew, `run ${run} came from nowhere`).toBe(true);
    const made: Run = { run, pit, disks: new Map() };
    for (const { disk, changeId } of disks) {
      made.disks.set(disk, Uint8Array.from(world.state(world.nameOf(disk)).units));
      const known = world.moments.some((moment) => moment.changeId === changeId);
      if (typeof changeId === 'string' && !known) world.remember(world.nameOf(disk), { changeId, pit });
    }
    world.runs.push(made);
  }
  world.runs = world.runs.filter(({ pit }) => [...found.values()].some((one) => one.pit === pit));
}

async function prune(world: World): Promise<void> {
  if (world.runs.length === 0) return;
  const { code, result } = await world.ask(
    'prune',
    '--from',
    world.backups,
    ...subjectsOfTracking(world),
    '--keep-last',
    String(1 + world.random(3)),
  );
  if (code !== 0) return;
  const { kept } = result as { kept: number[] };
  world.runs = world.runs.filter(({ run }) => kept.includes(run));
}

/** Something is begun and ended while there is no room; afterwards there is, and it is as if nothing had been. */
async function full(world: World): Promise<void> {
  const work = world.pick([
    (one: World) => session(one),
    backup,
    prune,
    forget,
    (one: World) => point(one, 'reset'),
  ]);
  await world.whileFull(() => work(world));
  await mendByDoctor(world);
  await learnRuns(world, work === backup);
}

/** What a person would type next. */
export async function mendByDoctor(world: World): Promise<void> {
  const subjects =
    world.daemon === null ? NAMES.map((name) => world.image(name)) : [`qmp:${world.daemon.process.qmpPath}`];
  const { code, said } = await world.ask('doctor', ...subjects, '--scratch', world.folder, '--fix');
  expect([0, 3], said).toContain(code);
}

async function restoreOne(world: World): Promise<void> {
  if (world.runs.length > 0) await restore(world, world.pick(world.runs));
}

/** Every disk of the run, to the byte. */
async function restore(world: World, { run, pit, disks }: Run): Promise<void> {
  for (const [disk, units] of disks) {
    const to = join(world.folder, 'restored.raw');
    const { code, said } = await world.ask(
      'restore',
      '--from',
      world.backups,
      '--pit',
      pit,
      '--disk',
      disk,
      '--to',
      to,
      '--format',
      'raw',
    );
    expect(code, `run ${run} of ${disk}: ${said}`).toBe(0);
    expect(unitsOf(await readFile(to)), `run ${run} of ${disk}`).toEqual(units);
    await rm(to);
  }
}

/** At the end: everything that was promised, and nothing left over. */
export async function reckon(world: World): Promise<void> {
  await ask(world, 20);
  if (world.daemon !== null) {
    const { result } = await world.ask(
      'doctor',
      `qmp:${world.daemon.process.qmpPath}`,
      '--scratch',
      world.folder,
      '--fix',
    );
    world.note(JSON.stringify(result));
    await world.stop();
  }
  for (const name of NAMES) {
    // A session that was open when QEMU ended may have what the guest wrote.
    const { code, said } = await world.ask('doctor', world.image(name), '--scratch', world.folder, '--fix');
    expect([0, 3], said).toContain(code);
    expect(await world.content(world.image(name)), `the content of ${name}`).toEqual(world.state(name).units);
  }
  if (world.runs.length > 0) {
    const { code, said } = await world.ask('verify', '--from', world.backups);
    expect(code, said).toBe(0);
    for (const run of world.runs) await restore(world, run);
  }
  const left = (await readdir(world.folder)).filter(
    (name) => !/^(a|b|copy-\d+)\.qcow2$|^backups$|^restored$|^vm$/.test(name),
  );
  expect(left, 'left behind').toEqual([]);
}
