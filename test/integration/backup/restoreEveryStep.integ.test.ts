/**
 * Restore × every call to the file system, every program that it starts, and every moment of its server: a coded error or the whole
 * disk. Of a file the old one stands or the new one, with nothing beside it; nothing is held open, nothing runs on; and the next try
 * gives the disk. In the gate some calls of each; EVERY_STEP=1 for all.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NbdConnection } from '../../../lib/backend/nbd/nbdConnection.js';
import { restore } from '../../../lib/backup/restore.js';
import { CbtError } from '../../../lib/core/errors.js';
import { atEveryStep, type Faults, failing } from '../../helpers/atEveryStep.js';
import { FILE_FAULTS, fileFaults } from '../../helpers/fileFaults.js';
import { makeLayerFolder } from '../../helpers/layerFolder.js';
import { type NbdServerProcess, startQemuNbd } from '../../helpers/nbdServers.js';
import { openFilesBelow } from '../../helpers/openFiles.js';
import { descendants, hasOpenIn } from '../../helpers/processes.js';
import { killedAtWork, PROGRAM_FAULTS, programFaults } from '../../helpers/programFaults.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const ALL = process.env['EVERY_STEP'] !== undefined;
const SIZE = 8 * 65_536;
const OLD = 'what was there before';
/** What a server of the target is asked. */
const ASKED = ['write', 'zero', 'read', 'flush', 'close'];
const run = promisify(execFile);

let folder: TemporaryFolder;
let from: string;
/** Where restored files go. */
let place: string;
/** What the device and the export are of. */
let medium: string;
let device: string;
let server: NbdServerProcess;
let wanted: Buffer;

beforeAll(async () => {
  folder = await makeTemporaryFolder({ inMemory: true });
  const at = (name: string): string => join(folder.path, name);
  [from, place, medium] = [at('backups'), at('place'), at('medium')];
  const cells = (...given: (null | number)[]) => ({ sizeBytes: SIZE, cells: given });
  wanted = (await makeLayerFolder(from, [cells(1, 1, null, 4), cells(null, 2, 3, 0, 5)])).get(2)!;
  await writeFile(medium, Buffer.alloc(SIZE, 9));
  device = (await run('losetup', ['-f', '--show', medium])).stdout.trim();
});
afterAll(async () => {
  await run('losetup', ['-d', device]);
  await server?.stop();
  await folder.remove();
});

/** Not a thing of ours is open or runs. */
async function requireQuiet(): Promise<void> {
  for (const where of [folder.path, device]) expect((await openFilesBelow(where)).join()).toBe('');
  const ours = descendants(process.pid).filter(({ pid }) => hasOpenIn(pid, place));
  expect(ours.map(({ command }) => command)).toEqual([]);
}

interface Kind {
  kind: string;
  faults(): Promise<Faults>;
  /** In the gate, of so many calls one. */
  every: number;
}

const OF_FILES: readonly Kind[] = FILE_FAULTS.map((kind) => ({
  kind,
  faults: () => fileFaults(kind),
  every: { ENOSPC: 3, EIO: 23, EACCES: 7 }[kind],
}));
const ofPrograms = (on: () => string): readonly Kind[] => [
  ...PROGRAM_FAULTS.map((kind) => ({ kind, faults: async () => programFaults(kind), every: 1 })),
  { kind: 'at work', faults: async () => killedAtWork(on(), NbdConnection.prototype, ASKED), every: 3 },
];
/** The one program at work is the server, which has no end but that of the restore. */
const isStarted = ({ kind }: Kind): boolean => kind !== 'unheard';
const steps = ({ every }: Kind, index: number) => (ALL ? {} : { every, from: 1 + (index % every) });

describe.each([
  { name: 'new.raw', old: null },
  { name: 'new.qcow2', old: null },
  { name: 'old.raw', old: OLD },
])('to the file $name', ({ name, old }) => {
  const before = async (): Promise<void> => {
    await rm(place, { recursive: true, force: true });
    await mkdir(place);
    if (old !== null) await writeFile(join(place, name), old);
  };
  const requireWhole = async (): Promise<void> => {
    const raw = join(folder.path, 'read.raw');
    const format = name.endsWith('.raw') ? 'raw' : 'qcow2';
    await qemuImg('convert', '-f', format, '-O', 'raw', join(place, name), raw);
    expect((await readFile(raw)).equals(wanted)).toBe(true);
  };

  const programs = ofPrograms(() => place).filter((kind) => name === 'new.qcow2' || isStarted(kind));
  test.each([...OF_FILES, ...programs])('$kind', async (kind) => {
    const to = join(place, name);
    const more = steps(kind, name.length + (old?.length ?? 0));
    const met = await atEveryStep(
      await kind.faults(),
      before,
      () => restore({ from, to, force: old !== null }),
      async ({ error, what }) => {
        requireCoded(error);
        await requireQuiet();
        const names = await readdir(place);
        const there = names.includes(name);
        const isOld = there && (await stat(to)).size === old?.length;
        if (error === undefined || old !== null) expect(there).toBe(true);
        if (error === undefined) expect(isOld).toBe(false);
        if (isOld) expect(await readFile(to, 'utf8')).toBe(old);
        else if (there) await requireWhole();
        const beside = names.filter((one) => one !== name);
        // What may not be removed stays until somebody may.
        expect(beside.filter((one) => !(/unlink/.test(what ?? '') && one.endsWith('.part')))).toEqual([]);
        await restore({ from, to, force: true });
        expect(await readdir(place)).toEqual([name]);
        await requireWhole();
      },
      more,
    );
    expect(met).toBeGreaterThan(0);
  });
});

describe('to what is no file', () => {
  /** It may be half written: the next try writes all of it. */
  const restored = async (kind: Kind, to: () => string, before: () => Promise<void>): Promise<void> => {
    const met = await atEveryStep(
      await kind.faults(),
      async () => {
        await run('dd', ['if=/dev/zero', `of=${medium}`, 'conv=notrunc', `bs=${SIZE}`, 'count=1']);
        await before();
      },
      () => restore({ from, to: to() }),
      async ({ error }) => {
        requireCoded(error);
        await requireQuiet();
        if (error !== undefined) {
          await before();
          await restore({ from, to: to() });
        }
        await run('blockdev', ['--flushbufs', device]);
        expect((await readFile(medium)).equals(wanted)).toBe(true);
      },
      steps(kind, 1),
    );
    expect(met).toBeGreaterThan(0);
  };

  const programs = ofPrograms(() => device).filter(isStarted);
  test.each([...OF_FILES.filter(({ kind }) => kind !== 'ENOSPC'), ...programs])('a device, $kind', (kind) =>
    restored(
      kind,
      () => device,
      async () => undefined,
    ),
  );

  test('an export, whose server ends', () =>
    restored(
      {
        kind: 'at work',
        faults: async () =>
          failing(NbdConnection.prototype, ASKED, 'before', async () => {
            await server.stop('SIGKILL');
          }),
        every: 2,
      },
      () => `nbd+unix:///?socket=${encodeURIComponent(server.socket)}`,
      async () => {
        await server?.stop();
        server = await startQemuNbd(folder.path, '-f', 'raw', medium);
      },
    ));
});

function requireCoded(error: unknown): void {
  if (error === undefined) return;
  expect(error).toBeInstanceOf(CbtError);
  expect(error).not.toMatchObject({ code: 'ERR_CBT_INTERNAL' });
}
