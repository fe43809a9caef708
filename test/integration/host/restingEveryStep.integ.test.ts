/**
 * Every change of the points of a VM that is off × every call to the file system, every program that it starts, every command to QEMU.
 * A coded error or a whole outcome; no point is left that nobody was told of; each that stands answers with all that was written since,
 * and nothing of ours is open, runs or lies about; whoever comes next goes on. Where QEMU was killed with the images open their history
 * is lost, which is said, and the next backup is full. In the gate some steps of each; EVERY_STEP=1 for all.
 */
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { QmpClient } from '../../../lib/backend/qemu/qmp/qmpClient.js';
import { CbtError } from '../../../lib/core/errors.js';
import type { Session } from '../../../lib/core/session.js';
import type { Vm } from '../../../lib/core/vm.js';
import { openVm } from '../../../lib/host/openVm.js';
import { ownMark } from '../../../lib/linux/processMark.js';
import { atEveryStep, type Faults } from '../../helpers/atEveryStep.js';
import { FILE_FAULTS, fileFaults } from '../../helpers/fileFaults.js';
import { openFilesBelow } from '../../helpers/openFiles.js';
import { descendants, hasOpenIn } from '../../helpers/processes.js';
import { killedAtWork, PROGRAM_FAULTS, programFaults } from '../../helpers/programFaults.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { qmpFaults } from '../../helpers/qmpFaults.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const ALL = process.env['EVERY_STEP'] !== undefined;
const PAGE = 65_536;
const DISKS = ['a', 'b'];

let folder: TemporaryFolder;
let place: string;

/** A state that both disks are in, made once: the pages that were written since each point. */
interface Life {
  name: string;
  pagesSince: ReadonlyMap<string, readonly number[]>;
  /** A session that nobody has ended. */
  session: string | null;
}
let untracked: Life;
let tracked: Life;
let begun: Life;

const images = (where: string): Record<string, string> =>
  Object.fromEntries(DISKS.map((disk) => [disk, join(where, `${disk}.qcow2`)]));
const open = (where: string): Promise<Vm> => openVm({ images: images(where), format: 'qcow2' });

async function write(where: string, page: number): Promise<void> {
  for (const image of Object.values(images(where)))
    await qemuIo(['-f', 'qcow2', image], `write -P ${1 + page} ${page * PAGE} 512`);
}

beforeAll(async () => {
  folder = await makeTemporaryFolder({ inMemory: true });
  place = join(folder.path, 'case');
  const now = join(folder.path, 'untracked');
  await mkdir(now);
  for (const image of Object.values(images(now)))
    await qemuImg('create', '-q', '-f', 'qcow2', image, String(64 * PAGE));
  await using vm = await open(now);
  const pages = new Map<string, number[]>();
  const written = async (page: number): Promise<void> => {
    await write(now, page);
    for (const since of pages.values()) since.push(page);
  };
  const keep = async (name: string, session: string | null): Promise<Life> => {
    if (name !== 'untracked') await cp(now, join(folder.path, name), { recursive: true });
    return { name, pagesSince: structuredClone(pages), session };
  };
  await cp(now, join(folder.path, 'blank'), { recursive: true });
  untracked = await keep('blank', null);
  pages.set((await vm.enable()).pit!, []);
  await written(1);
  const first = await vm.begin();
  pages.set(first.pit, []);
  await first.commit();
  await written(3);
  tracked = await keep('tracked', null);
  const second = await vm.begin();
  pages.set(second.pit, []);
  await written(5);
  begun = await keep('begun', second.pit);
});
afterAll(() => folder.remove());

/** A case of its own, and what is known in it. */
class World {
  readonly pagesSince: Map<string, Set<number>>;
  session: Session | null = null;
  /** What lay about already. */
  before: readonly string[] = [];
  #page = 7;

  private constructor(
    readonly vm: Vm,
    { pagesSince }: Life,
  ) {
    this.pagesSince = new Map([...pagesSince].map(([pit, pages]) => [pit, new Set(pages)]));
  }

  static async of(life: Life): Promise<World> {
    await rm(place, { recursive: true, force: true });
    await cp(join(folder.path, life.name), place, { recursive: true });
    const world = new World(await open(place), life);
    world.before = await ownFolders();
    if (life.session !== null) world.session = await world.vm.resume(life.session);
    return world;
  }

  know(pit: string): void {
    this.pagesSince.set(pit, new Set());
  }

  async write(): Promise<void> {
    await write(place, this.#page);
    for (const pages of this.pagesSince.values()) pages.add(this.#page);
    this.#page += 2;
  }
}

interface Operation {
  name: string;
  from: () => Life;
  body(world: World): Promise<unknown>;
  /** Points of those that are known that may be gone. */
  removes?: (known: readonly string[], world: World) => readonly string[];
  /** What its caller knows then. */
  learn?(world: World, result: never): void;
}

const knows = (world: World, { pit }: { pit: string | null }): void => world.know(pit!);
const OPERATIONS: readonly Operation[] = [
  { name: 'enable', from: () => untracked, body: ({ vm }) => vm.enable(), learn: knows },
  { name: 'reset', from: () => tracked, body: ({ vm }) => vm.reset(), learn: knows, removes: (all) => all },
  { name: 'disable', from: () => tracked, body: ({ vm }) => vm.disable(), removes: (all) => all },
  {
    name: 'forget',
    from: () => tracked,
    body: ({ vm, pagesSince }) => vm.forget([...pagesSince.keys()][0]!),
    removes: ([oldest]) => [oldest!],
  },
  { name: 'begin', from: () => tracked, body: ({ vm }) => vm.begin(), learn: knows },
  { name: 'commit', from: () => begun, body: ({ session }) => session!.commit() },
  {
    name: 'rollback',
    from: () => begun,
    body: ({ session }) => session!.rollback(),
    removes: (_, { session }) => [session!.pit],
  },
];

/**
 * Every point that stands is known, or told by the failure; each answers with all that was written since. Those that had to stay do.
 * `lost`: QEMU was killed with the images open, and what they say of their history is that it is lost.
 */
async function requireCovered(
  { vm, pagesSince }: World,
  { stays, error, lost }: { stays: readonly string[]; error: unknown; lost: boolean },
): Promise<void> {
  for (const name of DISKS) {
    await using disk = await vm.openDisk(name);
    const { pits, state } = await disk.pits();
    if (lost && state === 'lost') continue;
    expect(state, name).toBe(pits.length === 0 ? 'untracked' : 'recording');
    expect(pits.map(({ pit }) => pit)).toEqual(expect.arrayContaining([...stays]));
    for (const { pit } of pits) {
      const pages = pagesSince.get(pit);
      if (pages === undefined) {
        expect(error, `nobody knows ${pit} on ${name}`).toMatchObject({ details: { pointStays: pit } });
        continue;
      }
      const ranges = await (await disk.changes({ from: pit })).ranges();
      for (const page of pages) {
        const at = page * PAGE;
        const covered = ranges.some((start, i) => i % 2 === 0 && start <= at && at < start + ranges[i + 1]!);
        expect(covered, `page ${page} since ${pit} on ${name}`).toBe(true);
      }
    }
  }
}

/** Folders of this process for its storage daemons. */
async function ownFolders(): Promise<string[]> {
  const own = await ownMark();
  return (await readdir(tmpdir())).filter((name) => name.startsWith(`cbt-qsd-${own}`));
}

async function requireQuiet({ before }: World, what: string | undefined): Promise<void> {
  expect((await openFilesBelow(folder.path)).join()).toBe('');
  const ours = descendants(process.pid).filter(({ pid }) => hasOpenIn(pid, place));
  expect(ours.map(({ command }) => command)).toEqual([]);
  expect((await readdir(place)).sort()).toEqual(DISKS.map((disk) => `${disk}.qcow2`));
  // A folder that may not be removed is, when we are gone.
  if (/\b(rm|rmdir|unlink)\b/.test(what ?? '')) return;
  expect((await ownFolders()).filter((name) => !before.includes(name))).toEqual([]);
}

const KINDS: readonly { kind: string; faults: () => Promise<Faults>; every: number }[] = [
  ...FILE_FAULTS.map((kind) => ({
    kind,
    faults: () => fileFaults(kind),
    every: { ENOSPC: 1, EIO: 53, EACCES: 13 }[kind],
  })),
  ...PROGRAM_FAULTS.map((kind) => ({ kind, faults: async () => programFaults(kind), every: 1 })),
  ...(['refused', 'cut', 'unheard'] as const).map((kind) => ({
    kind: `command ${kind}`,
    faults: async () => qmpFaults(kind),
    every: 11,
  })),
  {
    kind: 'killed at work',
    faults: async () => killedAtWork(place, QmpClient.prototype, ['execute']),
    every: 11,
  },
];

/** In the gate each operation meets some kinds, and each kind some operations. A commit reads the images, and starts nothing. */
const kindsOf = (operation: number) =>
  OPERATIONS[operation]?.name === 'commit'
    ? KINDS.filter(({ kind }) => kind === 'EIO' || kind === 'EACCES')
    : KINDS.filter((_, kind) => ALL || (kind + operation) % 3 === 0);

describe.each(OPERATIONS.map((operation, index) => ({ ...operation, index })))('$name', (operation) => {
  const { index, from, body, learn, removes } = operation;
  test.each(kindsOf(index))('$kind', async ({ kind, faults, every }) => {
    const met = await atEveryStep(
      await faults(),
      () => World.of(from()),
      body,
      async ({ world, error, result, what }) => {
        const known = [...world.pagesSince.keys()];
        if (error === undefined) learn?.(world, result as never);
        else expect(error).toBeInstanceOf(CbtError);
        expect(error).not.toMatchObject({ code: 'ERR_CBT_INTERNAL' });
        await world.vm.close();
        await requireQuiet(world, what);
        await using vm = await open(place);
        const after = Object.assign(world, { vm });
        await after.write();
        const gone = removes?.(known, world) ?? [];
        const stays = known.filter((pit) => !gone.includes(pit));
        const lost = kind === 'killed at work';
        await requireCovered(after, { stays, error, lost });
        const next = await vm.begin();
        expect(next.disks.map((disk) => disk.error)).toEqual([undefined, undefined]);
        await next.rollback();
        await requireCovered(after, { stays: lost ? [] : stays, error, lost });
      },
      ALL ? {} : { every, from: 1 + (index % Math.min(every, 2)) },
    );
    expect(met).toBeGreaterThan(0);
  });
});
