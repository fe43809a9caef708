/**
 * What `doctor --fix` does, by its library call × every call to the file system, every program that it starts, every command to QEMU. A
 * coded error or a whole mending; whatever came of it, trying again mends, and then the disk has what its guest wrote, the point that
 * nobody committed is gone, the one before answers with all that was written since, and nothing of ours is left. In the gate some steps
 * of each; EVERY_STEP=1 for all.
 */
import { copyFileSync } from 'node:fs';
import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CbtError } from '../../../lib/core/errors.js';
import type { SessionMode } from '../../../lib/core/session.js';
import type { TrackedDisk } from '../../../lib/core/trackedDisk.js';
import { findImageLeftovers } from '../../../lib/host/imageLeftovers.js';
import type { Leftover } from '../../../lib/host/leftover.js';
import { openDisk } from '../../../lib/host/open.js';
import { connectVm } from '../../../lib/host/vm.js';
import { findVmLeftovers } from '../../../lib/host/vmLeftovers.js';
import { atEveryStep, type Faults } from '../../helpers/atEveryStep.js';
import { FILE_FAULTS, fileFaults } from '../../helpers/fileFaults.js';
import { openFilesBelow } from '../../helpers/openFiles.js';
import { PROGRAM_FAULTS, programFaults } from '../../helpers/programFaults.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { qmpFaults } from '../../helpers/qmpFaults.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const ALL = process.env['EVERY_STEP'] !== undefined;
const PAGE = 65_536;

let folder: TemporaryFolder;
let image: string;
let first: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder({ inMemory: true });
  image = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, String(64 * PAGE));
});
afterEach(() => folder.remove());

const sessions = async (): Promise<string[]> =>
  (await readdir(folder.path)).filter((name) => name.startsWith('cbt-'));

/** A folder without a record is nobody's, and goes when it is old. */
async function requireNoSession(): Promise<void> {
  for (const name of await sessions()) {
    const rest = await readdir(join(folder.path, name));
    expect(rest.filter((file) => file !== 'owner.lock')).toEqual([]);
    await rm(join(folder.path, name), { recursive: true });
  }
}

async function startDaemon(): Promise<StorageDaemon> {
  const daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  await daemon.exportWritable('a');
  return daemon;
}

const write = (daemon: StorageDaemon, page: number): Promise<string> =>
  daemon.guestIo('a', `write -P ${page} ${page * PAGE} 64k`);

/** A committed point, page 1, a session that is left open, page 3. */
async function leaveSession(daemon: StorageDaemon, mode: SessionMode): Promise<void> {
  const vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
  const options = { nbdSocket: daemon.nbdPath, scratch: { folder: folder.path }, mode } as const;
  const done = await vm.begin(options);
  await done.commit();
  first = done.pit;
  await write(daemon, 1);
  await vm.begin({ ...options, detached: true, allowUnwatchedScratch: true });
  await write(daemon, 3);
  await vm.close();
}

async function mendAll(found: readonly Leftover[], signal?: AbortSignal): Promise<number> {
  const mends = found.flatMap(({ mend }) => mend ?? []);
  for (const mend of mends) await mend.run(signal && { signal });
  return mends.length;
}

function requireCoded(error: unknown): void {
  if (error === undefined) return;
  expect(error).toBeInstanceOf(CbtError);
  expect(error).not.toMatchObject({ code: 'ERR_CBT_INTERNAL' });
}

/** Pages 1 and 3 are there, and the point that was committed knows of them. */
async function requireWhole(open: () => Promise<TrackedDisk>): Promise<void> {
  await using disk = await open();
  const { pits, state } = await disk.pits();
  expect(state).toBe('recording');
  expect(pits.map(({ pit }) => pit)).toEqual([first]);
  expect([...(await (await disk.changes({ from: first })).ranges())]).toEqual([
    ...[PAGE, PAGE],
    ...[3 * PAGE, PAGE],
  ]);
}

type Kind = { kind: string; faults: () => Promise<Faults>; every: number };
const FILES: readonly Kind[] = FILE_FAULTS.map((kind) => ({
  kind,
  faults: () => fileFaults(kind),
  every: { ENOSPC: 11, EIO: 211, EACCES: 41 }[kind],
}));
const PROGRAMS: readonly Kind[] = PROGRAM_FAULTS.map((kind) => ({
  kind,
  faults: async () => programFaults(kind),
  every: 1,
}));
const COMMANDS: readonly Kind[] = (['refused', 'cut', 'unheard'] as const).map((kind) => ({
  kind: `command ${kind}`,
  faults: async () => qmpFaults(kind),
  every: 47,
}));

/** Which kinds of faults each life meets in the gate. */
const IN_GATE = {
  overlay: ['ENOSPC', 'unheard'],
  fleece: ['command refused'],
  'folder gone': ['command unheard'],
};
const kindsOf = (life: keyof typeof IN_GATE, kinds: readonly Kind[]): readonly Kind[] =>
  kinds.filter(({ kind }) => ALL || IN_GATE[life].includes(kind));

describe.each(['overlay', 'fleece'] as const)('images of a VM that ended in a session, %s', (mode) => {
  test.each(kindsOf(mode, [...FILES, ...PROGRAMS, ...COMMANDS]))('$kind', async ({ faults, every }) => {
    const daemon = await startDaemon();
    await leaveSession(daemon, mode);
    // A kill would lose the history of an image that is open for writing, as it is below a fleece.
    await (mode === 'overlay' ? daemon.process.kill() : daemon.process.terminate());
    await daemon[Symbol.asyncDispose]();
    await using kept = await keep();
    const mend = async (signal?: AbortSignal): Promise<number> =>
      mendAll(await findImageLeftovers([image], { scratchFolder: folder.path, signal }), signal);
    const met = await atEveryStep(
      await faults(),
      () => kept.restore(),
      (_, signal) => mend(signal),
      async ({ error, failed, result }) => {
        requireCoded(error);
        if (!failed) expect(result).toBe(1);
        expect((await openFilesBelow(folder.path)).join()).toBe('');
        await mend();
        expect(await mend()).toBe(0);
        await requireNoSession();
        await qemuIo(['-r', '-f', 'qcow2', image], `read -P 1 ${PAGE} 64k`, `read -P 3 ${3 * PAGE} 64k`);
        await requireWhole(() => openDisk(image));
      },
      ALL ? {} : { every, from: every > 1 ? 3 : 1 },
    );
    expect(met).toBeGreaterThan(0);
  });
});

/** The folder as it is, to be had again: in the image's very file, which the session's record knows. */
async function keep() {
  const place = await makeTemporaryFolder({ inMemory: true });
  const names = await readdir(folder.path);
  for (const name of names) await cp(join(folder.path, name), join(place.path, name), { recursive: true });
  return {
    async restore() {
      for (const name of await readdir(folder.path))
        if (name !== 'a.qcow2') await rm(join(folder.path, name), { recursive: true });
      for (const name of names)
        if (name === 'a.qcow2') copyFileSync(join(place.path, name), image);
        else await cp(join(place.path, name), join(folder.path, name), { recursive: true });
    },
    [Symbol.asyncDispose]: () => place.remove(),
  };
}

describe('a VM with a session whose folder is gone', () => {
  test.each(kindsOf('folder gone', [...COMMANDS, ...FILES]))('$kind', async ({ faults, every }) => {
    const daemon = await startDaemon();
    try {
      const address = daemon.process.qmpPath;
      const mend = async (signal?: AbortSignal): Promise<number> =>
        mendAll(await findVmLeftovers(address, { scratchFolder: folder.path, signal }), signal);
      const met = await atEveryStep(
        await faults(),
        async () => {
          await leaveSession(daemon, 'fleece');
          for (const name of await sessions()) await rm(join(folder.path, name), { recursive: true });
        },
        (_, signal) => mend(signal),
        async ({ error, failed, result }) => {
          requireCoded(error);
          if (!failed) expect(result).toBe(1);
          await mend();
          expect(await mend()).toBe(0);
          await requireNoSession();
          await using vm = await connectVm(address, { nbdSocket: daemon.nbdPath });
          await requireWhole(() => vm.openDisk('a'));
          await vm.disable();
        },
        ALL ? {} : { every, from: 3 },
      );
      expect(met).toBeGreaterThan(0);
    } finally {
      await daemon[Symbol.asyncDispose]();
    }
  });
});
