/**
 * Every change of a running VM × every QMP command of it: refused, its link cut before it or before its answer, cancelled. A coded
 * error or a whole outcome; the guest's disk goes on; no point is left that nobody was told of; whoever comes next goes on from what is
 * known, and clears up. In the gate some commands of each pair, of every pair others; EVERY_STEP=1 for all.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CbtError } from '../../../../../lib/core/errors.js';
import type { Session, SessionMode } from '../../../../../lib/core/session.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { atEveryStep, someSteps } from '../../../../helpers/atEveryStep.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { QMP_FAULTS, qmpFaults } from '../../../../helpers/qmpFaults.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const PAGE = 65_536;
const ALL = process.env['EVERY_STEP'] !== undefined;
/** In the gate one mode for each fault, and of so many commands of a begin one: what is likeliest is met at more. */
const MODE = { refused: 'fleece', cut: 'overlay', unheard: 'fleece' };
const BEGIN_EVERY = { cancelled: 1, cut: 3, refused: 9, unheard: 9 };
let folder: TemporaryFolder;
let scratch: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;

async function connect(): Promise<void> {
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
}

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  scratch = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, 'a.qcow2'), '64M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: join(folder.path, 'a.qcow2') }] });
  await daemon.exportWritable('a');
  await connect();
});
afterEach(async () => {
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
  await scratch.remove();
});

/** What is known of the disk: its points, and the pages written since each. */
class World {
  readonly pagesSince = new Map<string, Set<number>>();
  session: Session | null = null;
  #next = 0;

  constructor(readonly mode: SessionMode) {}

  begin(options: { signal?: AbortSignal | undefined; base?: string | undefined } = {}): Promise<Session> {
    return vm.begin({ mode: this.mode, scratch: { folder: scratch.path }, ...options });
  }

  /** The point that the caller would name as a base. */
  get newest(): string | undefined {
    return [...this.pagesSince.keys()].at(-1);
  }

  know(pit: string): void {
    this.pagesSince.set(pit, new Set());
  }

  async write(): Promise<void> {
    const page = 1 + 3 * (this.#next % 300);
    this.#next += 1;
    await daemon.guestIo('a', `write -P ${1 + (this.#next % 250)} ${page * PAGE} 512`);
    for (const pages of this.pagesSince.values()) pages.add(page);
  }
}

async function points(): Promise<string[]> {
  await using disk = await vm.openDisk('a');
  return (await disk.pits()).pits.map(({ pit }) => pit);
}

/** Every point that stands is known, and answers with all that was written since; one that is known by its failure only may stand too. */
async function requireCovered({ pagesSince }: World, error: unknown): Promise<void> {
  const standing = await points();
  for (const pit of standing.filter((one) => !pagesSince.has(one)))
    expect(error).toMatchObject({ details: { pointStays: pit, pointStaysOn: 'a' } });
  await using disk = await vm.openDisk('a');
  for (const [pit, pages] of pagesSince) {
    if (!standing.includes(pit)) continue;
    const ranges = await (await disk.changes({ from: pit })).ranges();
    for (const page of pages) {
      const at = page * PAGE;
      const covered = ranges.some((start, i) => i % 2 === 0 && start <= at && at < start + ranges[i + 1]!);
      expect(covered, `page ${page} since ${pit}`).toBe(true);
    }
  }
}

/** Nothing of ours is in QEMU or in the scratch folder. */
async function requireNothingLeft(): Promise<void> {
  const { control } = daemon.process;
  const nodes = (await control.execute('query-named-block-nodes')) as { 'node-name': string }[];
  const exports = (await control.execute('query-block-exports')) as { id: string }[];
  const jobs = (await control.execute('query-jobs')) as { id: string }[];
  const names = [...nodes.map((node) => node['node-name']), ...[...exports, ...jobs].map(({ id }) => id)];
  expect(names.filter((name) => name.startsWith('cbt'))).toEqual([]);
  expect(await readdir(scratch.path)).toEqual([]);
}

interface Operation {
  name: string;
  prepare(world: World): Promise<void>;
  body(world: World, signal: AbortSignal | undefined): Promise<unknown>;
  /** What the caller knows once it has returned. */
  learn?(world: World, result: never): void;
  /** A session may be left for whoever comes next. */
  ofSession?: true;
  /** In the gate, of so many commands one. */
  every?: number;
}

const changing = (
  name: string,
  body: Operation['body'],
  prepare: Operation['prepare'] = async () => undefined,
  learn?: (world: World, result: { pit: string | null }) => void,
): Operation => ({ name, prepare, body, every: 5, ...(learn && { learn }) });

const takes = (world: World, { pit }: { pit: string | null }): void => world.know(pit!);

const ending = (how: 'commit' | 'rollback'): Operation => ({
  name: how,
  prepare: async (world) => {
    world.session = await world.begin();
    // Its caller was told of it, and may use it once it is committed; where that failed it may stand or not.
    if (how === 'commit') world.know(world.session.pit);
    await world.write();
  },
  body: async ({ session }, signal) => session![how]({ ...(signal && { signal }) }),
  ofSession: true,
  every: 5,
});

const ON_A_SESSION: readonly Operation[] = [
  {
    name: 'begin',
    prepare: async () => undefined,
    body: async (world, signal) => world.begin({ signal }),
    learn: (world, session: Session) => {
      world.session = session;
    },
    ofSession: true,
  },
  ending('commit'),
  ending('rollback'),
];
const ON_A_VM: readonly Operation[] = [
  changing(
    'enable',
    (_, signal) => vm.enable({ ...(signal && { signal }) }),
    async (world) => {
      await vm.disable();
      world.pagesSince.clear();
    },
    takes,
  ),
  changing('reset', (_, signal) => vm.reset({ ...(signal && { signal }) }), undefined, takes),
  changing('disable', (_, signal) => vm.disable({ ...(signal && { signal }) })),
  changing(
    'forget',
    ({ pagesSince }, signal) => vm.forget([...pagesSince.keys()][0]!, { ...(signal && { signal }) }),
    async (world) => {
      const session = await world.begin();
      await session.commit();
      world.know(session.pit);
      await world.write();
    },
  ),
];

async function run(
  operation: Operation,
  mode: SessionMode,
  kind: (typeof QMP_FAULTS)[number],
): Promise<void> {
  const steps = ALL ? {} : someSteps(operation.every ?? BEGIN_EVERY[kind], QMP_FAULTS.indexOf(kind));
  const met = await atEveryStep(
    qmpFaults(kind),
    async () => {
      const world = new World(mode);
      await vm.disable();
      const { pit, disks } = await vm.enable();
      expect(disks[0]?.error).toBeUndefined();
      world.know(pit!);
      await world.write();
      await operation.prepare(world);
      return world;
    },
    operation.body,
    async ({ world, failed, result, error }) => {
      if (error === undefined) operation.learn?.(world, result as never);
      else expect(error).toBeInstanceOf(CbtError);
      if (kind === 'cancelled' && failed && error !== undefined)
        expect(error).toMatchObject({ code: 'ERR_CBT_ABORTED' });
      const cutOff = kind === 'cut' || kind === 'unheard';
      if (cutOff) {
        await vm.close();
        await connect();
      }
      // The guest writes, whatever came of it.
      await world.write();
      if (operation.ofSession) {
        // An end that failed can be asked for again, by this caller or by the next.
        if (!cutOff) await world.session?.rollback().catch(() => undefined);
        const next = await world.begin({ base: world.newest });
        const [disk] = next.disks;
        expect([disk?.error, disk?.verdict === 'full' ? world.newest : disk?.base]).toEqual([
          undefined,
          world.newest,
        ]);
        await next.rollback();
      }
      await requireNothingLeft();
      await requireCovered(world, error);
    },
    steps,
  );
  expect(met).toBeGreaterThan(0);
}

test('a commit that was called off, at whatever command of it, is finished by asking again', async () => {
  const met = await atEveryStep(
    qmpFaults('cancelled'),
    async () => {
      await vm.disable();
      await vm.enable();
      return await new World('fleece').begin();
    },
    (session, signal) => session.commit({ signal }),
    async ({ world: session, error }) => {
      if (error !== undefined) expect(error).toMatchObject({ code: 'ERR_CBT_ABORTED' });
      const again = await session.commit().catch((thrown: unknown) => thrown);
      if (error === undefined) expect(again).toMatchObject({ code: 'ERR_CBT_CLOSED' });
      else
        expect(again).toMatchObject({
          pit: session.pit,
          disks: [{ disk: 'a', changeId: expect.any(String) }],
        });
      expect(await points()).toContain(session.pit);
      await requireNothingLeft();
    },
    ALL ? {} : { every: 3 },
  );
  expect(met).toBeGreaterThan(3);
});

describe.each(QMP_FAULTS)('%s', (kind) => {
  const modes: SessionMode[] = ['fleece', 'overlay'];
  describe.each(modes.filter((mode) => ALL || kind === 'cancelled' || mode === MODE[kind]))('%s', (mode) => {
    test.each(ON_A_SESSION)('$name', (operation) => run(operation, mode, kind));
  });
  test.each(ON_A_VM)('$name', (operation) => run(operation, 'fleece', kind));
});
