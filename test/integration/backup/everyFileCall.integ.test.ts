/**
 * Backup and prune × every call to the file system of ours: no space, an error of the device, no permission. A coded error or a whole
 * outcome; every run that is listed shows what it did; no point in time is left that no run has; and the next try works. In the gate
 * some calls of each; EVERY_STEP=1 for all.
 */
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { prune } from '../../../lib/backup/prune.js';
import { verify } from '../../../lib/backup/verify.js';
import { CbtError } from '../../../lib/core/errors.js';
import { openDisk } from '../../../lib/host/open.js';
import { atEveryStep } from '../../helpers/atEveryStep.js';
import { FILE_FAULTS, fileFaults } from '../../helpers/fileFaults.js';
import { makeLayerFolder, readRuns } from '../../helpers/layerFolder.js';
import { openFilesBelow } from '../../helpers/openFiles.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const ALL = process.env['EVERY_STEP'] !== undefined;
const KIB64 = 65_536;
let folder: TemporaryFolder;
const at = (...names: string[]): string => join(folder.path, ...names);

beforeAll(async () => {
  folder = await makeTemporaryFolder({ inMemory: true });
});
afterAll(() => folder.remove());

/** Makes a folder of the case's own anew from what was made once. */
async function anew(whole: string, place: string): Promise<string> {
  await rm(place, { recursive: true, force: true });
  await cp(whole, place, { recursive: true });
  return place;
}

/** Byte by byte, but not by `toEqual`: that takes seconds for half a megabyte. */
function requireAlike(run: number, content: Buffer | Error, wanted: Buffer | undefined): void {
  if (content instanceof Error) throw content;
  expect(wanted !== undefined && content.equals(wanted), `run ${run} shows what it held`).toBe(true);
}

/** The first failing call of a case: of three cases each has others. */
const first = (code: (typeof FILE_FAULTS)[number], every: number): number =>
  ALL ? 1 : 1 + Math.floor((every * FILE_FAULTS.indexOf(code)) / FILE_FAULTS.length);

describe('prune', () => {
  const RULES = { last: 2 };
  const EVERY = { ENOSPC: 8, EIO: 40, EACCES: 16 };
  let contents: Map<number, Buffer>;
  beforeAll(async () => {
    const cells = (...given: (null | number)[]) => ({ sizeBytes: 8 * KIB64, cells: given });
    contents = await makeLayerFolder(at('prune'), [
      cells(1, 1, 1, null),
      cells(null, 2, 0, 2),
      cells(null, null, 3),
      cells(4),
    ]);
  });

  /** Every run that is listed shows what it held. */
  const requireWhole = async (from: string): Promise<number[]> => {
    const runs = await readRuns(from);
    for (const [run, content] of runs) requireAlike(run, content, contents.get(run));
    return [...runs.keys()];
  };

  test.each(FILE_FAULTS)('%s', async (code) => {
    const every = ALL ? 1 : EVERY[code];
    const met = await atEveryStep(
      await fileFaults(code),
      () => anew(at('prune'), at(`prune-${code}`)),
      (from) => prune({ from, rules: RULES }),
      async ({ world: from, error }) => {
        if (error !== undefined) expect(error).toBeInstanceOf(CbtError);
        expect((await openFilesBelow(from)).join()).toBe('');
        expect(await requireWhole(from)).toEqual(expect.arrayContaining([3, 4]));
        await prune({ from, rules: RULES });
        expect(await requireWhole(from)).toEqual([3, 4]);
        expect((await verify({ from })).problems).toEqual([]);
        expect((await readdir(from)).filter((name) => /part|merge|000001/.test(name))).toEqual([]);
      },
      { every, from: first(code, every) },
    );
    expect(met).toBeGreaterThan(ALL ? 30 : 3);
  });
});

describe('backup', () => {
  const EVERY = { ENOSPC: 8, EIO: 60, EACCES: 14 };
  let contents: { first: Buffer; now: Buffer };

  const contentOf = async (file: string): Promise<Buffer> => {
    const raw = `${file}.raw`;
    await qemuImg('convert', '-O', 'raw', file, raw);
    return readFile(raw);
  };

  // Of every case the disk has one run behind it, and was written to since.
  beforeAll(async () => {
    await mkdir(at('backup'));
    const image = at('backup', 'disk.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, String(8 * KIB64));
    await qemuIo(['-f', 'qcow2', image], 'write -P 1 0 128k');
    await backup(imagesSource([image]), { to: at('backup', 'runs') });
    const before = await contentOf(image);
    await qemuIo(['-f', 'qcow2', image], 'write -P 2 64k 128k');
    contents = { first: before, now: await contentOf(image) };
  });

  test.each(FILE_FAULTS)('%s', async (code) => {
    const every = ALL ? 1 : EVERY[code];
    const met = await atEveryStep(
      await fileFaults(code),
      async () => {
        const place = await anew(at('backup'), at(`backup-${code}`));
        return { image: join(place, 'disk.qcow2'), to: join(place, 'runs') };
      },
      ({ image, to }) => backup(imagesSource([image]), { to }),
      async ({ world: { image, to }, failed, result, error }) => {
        if (error !== undefined) expect(error).toBeInstanceOf(CbtError);
        expect((await openFilesBelow(join(to, '..'))).join()).toBe('');
        if (!failed) expect(result?.run).toBe(2);
        await qemuIo(['-f', 'qcow2', image], 'write -P 3 256k 64k');
        const next = await backup(imagesSource([image]), { to });
        const last = Buffer.concat([contents.now]);
        last.fill(3, 4 * KIB64, 5 * KIB64);
        const runs = await readRuns(to);
        expect(runs.has(1) && runs.has(next.run!)).toBe(true);
        if (result?.run != null) expect(runs.has(result.run)).toBe(true);
        for (const [run, content] of runs) {
          // One whose end was not told is whole, or it is none.
          const wanted = run === 1 ? contents.first : run === next.run ? last : contents.now;
          requireAlike(run, content, wanted);
        }
        expect((await verify({ from: to })).problems).toEqual([]);
        await using disk = await openDisk(image, { format: 'qcow2' });
        const known = (await BackupFolder.read(to)).runs.map(({ pit }) => pit);
        for (const { pit } of (await disk.pits()).pits) expect(known).toContain(pit);
      },
      { every, from: first(code, every) },
    );
    expect(met).toBeGreaterThan(ALL ? 30 : 3);
  });
});
