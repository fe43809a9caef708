/** What may fail at any of its steps: what has to be there first, the command, and what must go through afterwards. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { backup, session } from './steps.js';
import type { World } from './world.js';

export interface Operation {
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

/** One that was begun all the same waits for its end. */
async function nextSession(world: World): Promise<void> {
  const { result, said } = await world.ask('begin', ...world.subjects(), '--scratch-unwatched');
  const begun = result as { session: string } | null;
  const open = begun?.session ?? /session ([0-9a-f-]{36}) is open/.exec(said)?.[1] ?? '';
  const { code, said: ended } = await world.ask('rollback', ...world.vm(), '--session', open);
  expect(code, `${said} ${ended}`).toBe(0);
  if (begun === null) await session(world, { must: true });
}

/** A session of an earlier command, open. */
async function begun(world: World, mode: 'fleece' | 'overlay'): Promise<string> {
  const how = ['--mode', mode, '--scratch-unwatched'];
  const { result, said } = await world.ask('begin', ...world.subjects(), ...how);
  const { session: id } = result as { session: string };
  expect(id, said).toBeTypeOf('string');
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
  prepare: async (world) => [how, ...world.vm(), '--session', await begun(world, mode)],
  ends: true,
  again: nextSession,
});

export const OPERATIONS: readonly Operation[] = [
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
      return ['doctor', `qmp:${world.machine?.process.qmpPath}`, '--scratch', world.folder, '--fix'];
    },
  },
  {
    name: 'reset of images',
    on: false,
    prepare: async (world) => ['reset', ...world.subjects()],
  },
];
