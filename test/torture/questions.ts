/** What is held against a world after each step, and at its end. */
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readLease } from '../../lib/backend/qemu/own/lease.js';
import { CbtError } from '../../lib/core/errors.js';
import { openDisk } from '../../lib/host/open.js';
import { qemuImg } from '../helpers/qemuTools.js';
import { expectContents, firstMissed, SECTOR } from './contents.js';
import { expectNoWarnings } from './warnings.js';
import { NAMES, type Run, type World } from './world.js';

/** An instant in any words for it, and what its disk held then. */
interface Instant {
  changeId: string;
  sectors: Uint8Array;
}

interface Area {
  start: number;
  length: number;
}

/** Questions of any disk since any instant that anybody ever took: refused, or not short. */
export async function ask(world: World, questions: number): Promise<void> {
  if (world.moments.length === 0) return;
  for (let n = 0; n < questions; n += 1) {
    const name = world.pick(NAMES);
    const moment = world.pick(world.moments);
    // Up to now, or up to another instant.
    const to = world.random(3) === 0 ? world.pick(world.moments) : null;
    await askOf(world, world.disk(name), name, moment, to);
  }
}

/** One question, of a disk in any words for it. */
export async function askOf(
  world: World,
  disk: readonly string[],
  name: string,
  from: Instant,
  to: Instant | null = null,
): Promise<void> {
  const upTo = to === null ? [] : ['--to', to.changeId];
  const { code, result } = await world.ask('changes', ...disk, '--from', from.changeId, ...upTo);
  if (code !== 0) return;
  const { areas } = result as { areas: Area[] };
  expectTold(world, name, from, to, areas);
}

function expectTold(
  world: World,
  name: string,
  from: Instant,
  to: Instant | null,
  areas: readonly Area[],
): void {
  const now = to?.sectors ?? world.state(name).sectors;
  const missed = firstMissed(from.sectors, now, areas);
  if (missed < 0) return;
  throw new Error(
    `byte ${missed * SECTOR} of ${name} since ${from.changeId} up to ${to?.changeId ?? 'now'} went from ${from.sectors[missed]} to ${now[missed]}, and is not told`,
  );
}

/** Every instant, up to now, of a disk that is opened once. */
async function askAll(world: World, name: string): Promise<void> {
  const [disk = '', , nbdSocket] = world.disk(name);
  const opened = await openDisk(disk, nbdSocket === undefined ? {} : { nbdSocket }).catch(refusal);
  if (opened === null) return;
  try {
    for (const { changeId, sectors } of world.moments) {
      const map = await opened.changes({ from: changeId }).catch(refusal);
      if (map === null) continue;
      const areas: Area[] = [];
      for await (const { offset, length } of map) areas.push({ start: offset, length });
      expectTold(world, name, { changeId, sectors }, null, areas);
    }
  } finally {
    await opened.close();
  }
}

/** What may be answered instead of an answer. */
function refusal(error: unknown): null {
  if (error instanceof CbtError && error.code !== 'ERR_CBT_INTERNAL') return null;
  throw error;
}

/** Bitmaps of others answer as well, since they began to record. */
export async function askForeign(world: World): Promise<void> {
  const name = world.pick(NAMES);
  const all = [...world.state(name).foreign];
  if (all.length === 0) return;
  const [changeId, sectors] = world.pick(all);
  await askOf(world, world.disk(name), name, { changeId, sectors });
}

/**
 * Every disk of the run, to the byte. Where a prune did not come to its end, what it began to take may be gone already, though its
 * files are still there; never the newest of a disk.
 */
export async function restore(world: World, { run, pit, disks }: Run, from = world.backups): Promise<void> {
  for (const [disk, sectors] of disks) {
    const to = join(world.folder, 'restored.raw');
    const which = ['--from', from, '--pit', pit, '--disk', disk];
    const { code, said } = await world.ask('restore', ...which, '--to', to, '--format', 'raw');
    const newest = world.runs.findLast((one) => one.disks.has(disk))?.pit === pit;
    if (world.pruning && !newest && /UNKNOWN_PIT|one of those in the folder|expected a run of/.test(said))
      continue;
    expect(code, `run ${run} of ${disk}: ${said}`).toBe(0);
    expectContents(await readFile(to), sectors, `run ${run} of ${disk}`);
    await rm(to);
  }
}

/** QEMU reads from the run's layers what its disks held. */
async function expectStored(world: World, { run, pit, disks }: Run): Promise<void> {
  const manifest = JSON.parse(
    await readFile(join(world.backups, `run-${String(run).padStart(6, '0')}.json`), 'utf8'),
  );
  const stored = manifest.disks as { disk: string; file: string }[];
  expect(manifest.pit).toBe(pit);
  for (const { disk, file } of stored) {
    const sectors = disks.get(disk);
    expect(sectors, `${disk} of run ${run}`).toBeDefined();
    if (sectors === undefined) continue;
    expectContents(
      await world.resting.read(join(world.backups, file)),
      sectors,
      `run ${run} of ${disk} in QEMU`,
    );
  }
}

/** What a person would type next. */
export async function mendByDoctor(world: World): Promise<void> {
  const subjects =
    world.machine === null
      ? NAMES.map((name) => world.image(name))
      : [`qmp:${world.machine.process.qmpPath}`];
  const { code, said } = await world.ask('doctor', ...subjects, '--scratch', world.folder, '--fix');
  expect([0, 3], said).toContain(code);
}

/** At the end: everything that was promised, and nothing left over. `runs`: whether the backup folder is looked at. */
export async function reckon(world: World, { runs = true } = {}): Promise<void> {
  for (const name of NAMES) await askAll(world, name);
  if (world.machine !== null) {
    await mendByDoctor(world);
    await world.stop();
  }
  for (const name of NAMES) {
    // A session that was open when QEMU ended may have what the guest wrote.
    const { code, said } = await world.ask('doctor', world.image(name), '--scratch', world.folder, '--fix');
    expect([0, 3], said).toContain(code);
    await world.expectContent(name);
    await expectForeign(world, name);
  }
  if (runs && world.runs.length > 0) {
    const { code, said } = await world.ask('verify', '--from', world.backups);
    expect(code, said).toBe(0);
    // In the middle of a merge layers are read as the merge will leave them, which QEMU cannot know.
    if (!world.pruning) for (const run of world.runs) await expectStored(world, run);
    for (const run of world.pruning ? world.runs : [world.pick(world.runs)]) await restore(world, run);
  }
  const remains = await leftBehind(world);
  expect(remains, `left behind: ${remains.join(' ')}`).toEqual([]);
  expectNoWarnings();
}

/**
 * What nobody answers for, each with what is in it. The folder of a session that ended before its record was written is removed when it is
 * a minute old: nobody waits for that here.
 */
async function leftBehind(world: World): Promise<string[][]> {
  const sessions = (await strangersIn(world)).filter((name) => /^cbt-\w{6}$/.test(name));
  for (const name of sessions) await utimes(join(world.folder, name), LONG_AGO, LONG_AGO);
  if (sessions.length > 0)
    await world.ask('doctor', ...NAMES.map((name) => world.image(name)), '--scratch', world.folder, '--fix');
  const within: string[][] = [];
  for (const name of await strangersIn(world)) {
    const files = await readdir(join(world.folder, name)).catch((): string[] => []);
    const isRecord = files.every((file) => file === 'session.json' || file === 'owner.lock');
    if (!isRecord || !(await waitsForImages(world, join(world.folder, name)))) within.push([name, ...files]);
  }
  return within;
}

/** A session that nobody ended, of images in whose places others lie by now: its point in time comes back with them. */
async function waitsForImages(world: World, folder: string): Promise<boolean> {
  const there = await Promise.all(NAMES.map((name) => stat(world.image(name), { bigint: true })));
  const disks = (await readLease(folder))?.disks ?? [];
  const own = there.map(({ ino, birthtimeNs }) => `${ino}:${birthtimeNs}`);
  return disks.length > 0 && disks.every(({ file }) => file !== undefined && !own.includes(file));
}

const LONG_AGO = new Date(0);

async function strangersIn(world: World): Promise<string[]> {
  const known = /^(a|b|copy-\d+)\.qcow2$|^backups$|^folder-\d+$|^restored$|^vm2?$/;
  return (await readdir(world.folder)).filter((name) => !known.test(name));
}

/** What others keep in the image is all there. */
async function expectForeign(world: World, name: string): Promise<void> {
  const { foreign } = world.state(name);
  if (foreign.size === 0) return;
  const info = JSON.parse(await qemuImg('info', '--output=json', world.image(name)));
  const { bitmaps = [] } = info['format-specific'].data as { bitmaps?: { name: string }[] };
  const theirs = bitmaps.map((bitmap) => bitmap.name).filter((one) => !one.startsWith('cbt1.'));
  expect(theirs.sort(), `bitmaps of others in ${name}`).toEqual([...foreign.keys()].sort());
}
