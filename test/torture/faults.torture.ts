/**
 * Every step of what changes something × everything that can happen there. A command does its n-th thing to the outside, and
 * then it is killed, its QEMU is killed, its helpers are, its link to QEMU is cut, the disk is full from there on, or one file may
 * not be touched. Whatever came of it: it was done whole, or the next one mends it, and no change is missed on the way.
 * TORTURE_CELLS moments of each pair ("all" for every one), TORTURE_ONLY one operation; the table is what docs/reliability.md shows.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../helpers/guestWriter.js';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';
import { backup, learnRuns, mendByDoctor, reckon, session } from './steps.js';
import { NAMES, World } from './world.js';

const ROOT = resolve(import.meta.dirname, '../..');
/** In the gate one fault of each operation, at one moment: which, the seed says. */
const CELLS = process.env['TORTURE_CELLS'] ?? 'few';
const SEED = Number(process.env['TORTURE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** A command that hangs is a finding. */
const LIMIT_MS = 180_000;

const KINDS = ['kill', 'qemu', 'helper', 'cut', 'full', 'denied'] as const;
type Kind = (typeof KINDS)[number];

interface Operation {
  name: string;
  /** Runs on a VM, or on images at rest. */
  on: boolean;
  /** What has to be there first; the command line of what is to fail. */
  prepare(world: World): Promise<string[]>;
  /** It ends a session, and can be asked for again until that is ended. */
  ends?: true;
  /** The same must go through afterwards. */
  again?: (world: World) => Promise<void>;
}

const vm = (world: World): string[] => ['--vm', world.daemon?.process.qmpPath ?? ''];

/** One that was begun all the same waits for its end. */
async function nextSession(world: World): Promise<void> {
  const { result, said } = await world.ask('begin', ...world.subjects(), '--scratch-unwatched');
  const begun = result as { session: string } | null;
  const open = begun?.session ?? /session ([0-9a-f-]{36}) is open/.exec(said)?.[1] ?? '';
  const { code, said: ended } = await world.ask('rollback', ...vm(world), '--session', open);
  expect(code, `${said} ${ended}`).toBe(0);
  await session(world, { must: true });
}

/** A session of an earlier command, open. */
async function begun(world: World, mode: 'fleece' | 'overlay'): Promise<string> {
  const { result, said } = await world.ask(
    'begin',
    ...world.subjects(),
    '--mode',
    mode,
    '--scratch-unwatched',
  );
  const { session: id } = result as { session: string };
  expect(id, said).toBeTypeOf('string');
  world.moments.length = 0;
  await world.write('a');
  return id;
}

/** To one and the same file each time: what a killed restore left of it goes with the next one. */
const restoring = (world: World): string[] => [
  ...['restore', '--from', world.backups, '--to', join(world.folder, 'restored')],
  ...['--disk', [...(world.runs.at(-1)?.disks.keys() ?? [])][0] ?? ''],
];

const ending = (mode: 'fleece' | 'overlay', how: 'commit' | 'rollback'): Operation => ({
  name: `${how} ${mode}`,
  on: true,
  prepare: async (world) => [how, ...vm(world), '--session', await begun(world, mode)],
  ends: true,
  again: nextSession,
});

const OPERATIONS: readonly Operation[] = [
  {
    name: 'begin',
    on: true,
    prepare: async (world) => ['begin', ...world.subjects(), '--scratch-unwatched'],
    again: nextSession,
  },
  {
    name: 'begin overlay',
    on: true,
    prepare: async (world) => ['begin', ...world.subjects(), '--scratch-unwatched', '--mode', 'overlay'],
    again: nextSession,
  },
  ending('fleece', 'commit'),
  ending('fleece', 'rollback'),
  ending('overlay', 'commit'),
  ending('overlay', 'rollback'),
  {
    name: 'backup of a VM',
    on: true,
    prepare: async (world) => ['backup', ...world.subjects(), '--to', world.backups],
    again: backup,
  },
  {
    name: 'backup of images',
    on: false,
    prepare: async (world) => ['backup', ...world.subjects(), '--to', world.backups],
    again: backup,
  },
  {
    name: 'restore',
    on: false,
    prepare: async (world) => restoring(world),
    again: async (world) => {
      const { code, said } = await world.ask(...restoring(world), '--force');
      expect(code, said).toBe(0);
    },
  },
  {
    name: 'prune',
    on: false,
    prepare: async (world) => ['prune', '--from', world.backups, ...world.subjects(), '--keep-last', '1'],
  },
  {
    name: 'doctor --fix',
    on: true,
    prepare: async (world) => {
      await begun(world, 'fleece');
      return ['doctor', `qmp:${world.daemon?.process.qmpPath}`, '--scratch', world.folder, '--fix'];
    },
  },
  {
    name: 'reset of images',
    on: false,
    prepare: async (world) => ['reset', ...world.subjects()],
  },
];

/** A VM with a past: tracked, three runs in its folder, changes since. */
async function worldOf(folder: string, seed: number, on: boolean): Promise<World> {
  const world = new World(folder, seededRandom(seed));
  await world.create();
  for (const name of NAMES) await world.write(name);
  for (let run = 0; run < 3; run += 1) {
    await backup(world);
    await world.write('a');
  }
  expect(world.runs).toHaveLength(3);
  if (on) await world.start();
  for (const name of NAMES) await world.write(name);
  return world;
}

interface Ended {
  code: number | null;
  said: string;
  effects: number;
  reached: boolean;
}

async function fail(world: World, argv: readonly string[], kind: Kind | 'count', at: number): Promise<Ended> {
  const report = join(world.folder, 'fault.json');
  const { daemon } = world;
  const fault = { kind, at, report, qmp: daemon?.process.qmpPath, qemu: daemon?.process.pid };
  const child = spawn(
    process.execPath,
    ['--require', join(import.meta.dirname, 'inject.cjs'), join(ROOT, 'bin/qemu-cbt.js'), ...argv],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, CBT_FAULT: JSON.stringify(fault) },
      timeout: LIMIT_MS,
      killSignal: 'SIGABRT',
    },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (signal === 'SIGABRT') throw new Error(`${argv[0]} hangs when ${kind} comes at ${at}: ${said}`);
  const { effects, reached } = JSON.parse(await readFile(report, 'utf8')) as Ended;
  await promisify(execFile)('rm', ['-f', report]);
  world.note(`${argv[0]} with ${kind} at ${at} -> ${code ?? signal} ${said.slice(0, 400)}`);
  return { code, said, effects, reached };
}

/** Whoever comes next: the VM is started again where it died, doctor mends, the same work goes through. */
async function mend(world: World, operation: Operation, kind: Kind, argv: readonly string[]): Promise<void> {
  if (kind === 'qemu' && world.daemon !== null) {
    await world.crash();
    await world.quiet();
    await mendByDoctor(world);
    await world.start();
  }
  await world.quiet();
  await mendByDoctor(world);
  if (operation.ends) await world.ask(...argv);
  await learnRuns(world, operation.name.startsWith('backup'));
  await operation.again?.(world);
  await reckon(world);
  await world.quiet();
}

/** Per operation and fault: how many moments, how often it was done whole, how often it had to be mended. */
const table = new Map<string, { moments: number; whole: number; mended: number; of: number }>();

const ONLY = process.env['TORTURE_ONLY'];

describe.each(OPERATIONS.filter(({ name }) => ONLY === undefined || name === ONLY))('$name', (operation) => {
  let effects = 0;
  const inWorld = async (seed: number, work: (world: World) => Promise<void>): Promise<void> => {
    const folder = await makeTemporaryFolder();
    const world = await worldOf(folder.path, seed, operation.on);
    try {
      await work(world);
    } catch (cause) {
      throw new Error(`seed ${seed}: ${(cause as Error).message}\n${world.log.slice(-40).join('\n')}`, {
        cause,
      });
    } finally {
      await world.crash();
      await folder.remove();
    }
  };

  test('without a fault', () =>
    inWorld(SEED, async (world) => {
      const argv = await operation.prepare(world);
      const ended = await fail(world, argv, 'count', 0);
      expect(ended.code, ended.said).toBe(0);
      ({ effects } = ended);
      expect(effects).toBeGreaterThan(3);
      await mend(world, operation, 'kill', argv);
    }));

  test.each(KINDS)('%s', async (kind) => {
    const fitting = KINDS.filter((one) => operation.on || (one !== 'qemu' && one !== 'cut'));
    const few =
      CELLS === 'few' && fitting[seededRandom(SEED + OPERATIONS.indexOf(operation))(fitting.length)] !== kind;
    if (few || !fitting.includes(kind)) return;
    const random = seededRandom(SEED + KINDS.indexOf(kind));
    const all = Array.from({ length: effects }, (_, n) => n + 1);
    const moments =
      CELLS === 'all'
        ? all
        : Array.from({ length: CELLS === 'few' ? 1 : Number(CELLS) }, () => 1 + random(effects));
    const cell = { moments: 0, whole: 0, mended: 0, of: effects };
    table.set(`${operation.name}|${kind}`, cell);
    for (const at of moments) {
      await inWorld(SEED + at, async (world) => {
        const argv = await operation.prepare(world);
        const ended = await fail(world, argv, kind, at);
        expect(ended.code, ended.said).not.toBe(1);
        await mend(world, operation, kind, argv);
        cell.moments += 1;
        if (ended.code === 0) cell.whole += 1;
        else cell.mended += 1;
      });
    }
    const { whole, mended, of } = cell;
    process.stdout.write(
      `${operation.name} × ${kind}: ${cell.moments} of ${of} moments, ${whole} whole, ${mended} mended\n`,
    );
  });
});

afterAll(async () => {
  const rows = [...table].map(([key, cell]) => ({
    operation: key.split('|')[0],
    fault: key.split('|')[1],
    ...cell,
  }));
  const record = process.env['TORTURE_RECORD'];
  if (record === undefined) return;
  await mkdir(dirname(resolve(record)), { recursive: true });
  await writeFile(record, `${JSON.stringify(rows, null, 2)}\n`);
});
