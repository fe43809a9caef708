/** A second place: what it shows, what it lacks, and that no end of a copy leaves one that lies. */
import { randomUUID } from 'node:crypto';
import { cp, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type CopyFolderOptions, copyFolder } from '../../../lib/backup/copying/copyFolder.js';
import { newMark, writeMark } from '../../../lib/backup/mark.js';
import { prune } from '../../../lib/backup/prune.js';
import { verify } from '../../../lib/backup/verify.js';
import { CbtError } from '../../../lib/core/errors.js';
import { atEveryStep } from '../../helpers/atEveryStep.js';
import { fileFaults } from '../../helpers/fileFaults.js';
import { makeLayerFolder, readRuns } from '../../helpers/layerFolder.js';
import { openFilesBelow } from '../../helpers/openFiles.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const KIB64 = 65_536;
const MIB = 1 << 20;
let folder: TemporaryFolder;
let contents: Map<number, Buffer>;
const at = (...names: string[]): string => join(folder.path, ...names);
const from = (): string => at('web');
const to = (): string => at('offsite');

async function mark(path: string): Promise<void> {
  const owner = { kind: 'images', uuid: null, name: null, since: '2026-01-01T00:00:00Z' } as const;
  await writeMark(path, newMark([{ ...owner, id: randomUUID(), inherits: true }], new Date(0)));
}

beforeAll(async () => {
  folder = await makeTemporaryFolder({ inMemory: true });
  const cells = (...given: (null | number)[]) => ({ sizeBytes: 6 * MIB, cells: given });
  const large = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? null : 1 + i));
  contents = await makeLayerFolder(at('made'), [cells(...large), cells(null, 2, 0, 2), cells(3)]);
  await mark(at('made'));
});
afterAll(() => folder.remove());
beforeEach(async () => {
  for (const place of [from(), to()]) await rm(place, { recursive: true, force: true });
  await cp(at('made'), from(), { recursive: true });
});

const copy = (options: Partial<CopyFolderOptions> = {}) => copyFolder({ from: from(), to: to(), ...options });

/** Numbers of the runs that are listed in a place; each shows what it held. */
async function wholeRuns(path: string): Promise<number[]> {
  const runs = await readRuns(path);
  for (const [run, content] of runs) {
    if (content instanceof Error) throw content;
    expect(contents.get(run)?.equals(content), `run ${run} shows what it held`).toBe(true);
  }
  return [...runs.keys()];
}

async function flip(path: string, offset: number): Promise<void> {
  await using file = await open(path, 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset);
  await file.write(Buffer.from([buffer[0]! ^ 0xff]), 0, 1, offset);
}

describe('a second place', () => {
  test('has what manifests list, and gets what is new', async () => {
    await rename(join(from(), 'run-000003.json'), at('later.json'));
    await writeFile(join(from(), 'notes.txt'), 'of somebody');
    const first = await copy();
    expect(first).toMatchObject({
      copied: [{ run: 1 }, { run: 2, disks: ['disk'] }],
      runs: [1, 2],
      problems: [],
      warnings: [],
    });
    expect((await readdir(to())).sort()).toEqual([
      'disk-000001.qcow2',
      'disk-000001.sums',
      'disk-000002.qcow2',
      'disk-000002.sums',
      'folder.json',
      'run-000001.json',
      'run-000002.json',
    ]);
    await rename(at('later.json'), join(from(), 'run-000003.json'));
    // What is pruned there comes back with `all` alone; what is merged here is no other run.
    await prune({ from: to(), rules: { last: 1 } });
    expect(await copy()).toMatchObject({ copied: [{ run: 3 }], runs: [2, 3] });
    expect(await wholeRuns(to())).toEqual([2, 3]);
    await prune({ from: from(), rules: { last: 1 } });
    expect(await copy({ all: true })).toMatchObject({ copied: [], copiedBytes: 0, runs: [2, 3] });
    await rm(from(), { recursive: true });
    await cp(at('made'), from(), { recursive: true });
    expect(await copy({ all: true })).toMatchObject({ copied: [{ run: 1 }], runs: [1, 2, 3] });
    expect(await wholeRuns(to())).toEqual([1, 2, 3]);
    expect((await verify({ from: to() })).problems).toEqual([]);
  });

  test('goes on from what a copy that was called off left, and believes none of it', async () => {
    const part = join(to(), 'disk-000001.qcow2.part');
    const stop = new AbortController();
    const onProgress = ({ doneBytes }: { doneBytes: number }): void => {
      if (doneBytes > MIB) stop.abort();
    };
    expect(await refusalOf(copy({ signal: stop.signal, onProgress }))).toMatchObject({
      code: 'ERR_CBT_ABORTED',
    });
    expect(await wholeRuns(to())).toEqual([]);
    const left = (await stat(part)).size;
    expect(left).toBeGreaterThanOrEqual(MIB);
    const steps: number[] = [];
    const again = await copy({ onProgress: ({ doneBytes }) => steps.push(doneBytes) });
    expect(steps.filter((done) => done > KIB64)[0]).toBeGreaterThanOrEqual(MIB);
    expect(again.runs).toEqual([1, 2, 3]);
    expect(await wholeRuns(to())).toEqual([1, 2, 3]);
    // Power was lost: the length is there, the data is not.
    await rm(to(), { recursive: true });
    const once = new AbortController();
    await refusalOf(
      copy({ signal: once.signal, onProgress: ({ doneBytes }) => doneBytes > MIB && once.abort() }),
    );
    await flip(part, 5 * KIB64);
    expect((await copy()).problems).toEqual([]);
    expect(await wholeRuns(to())).toEqual([1, 2, 3]);
    expect((await readdir(to())).filter((name) => /part|pending/.test(name))).toEqual([]);
  });

  test.each(['EIO', 'ENOSPC'] as const)('shows whole runs alone, whichever call fails (%s)', async (code) => {
    await atEveryStep(
      await fileFaults(code),
      async () => rm(to(), { recursive: true, force: true }),
      () => copy(),
      async ({ error }) => {
        if (error !== undefined) expect(error).toBeInstanceOf(CbtError);
        expect((await openFilesBelow(folder.path)).join()).toBe('');
        if (error === undefined) expect(await wholeRuns(to())).toEqual([1, 2, 3]);
        else await wholeRuns(to()).catch((thrown: Error) => expect(thrown.message).toMatch(/ENOENT|no such/));
        expect((await copy()).runs).toEqual([1, 2, 3]);
        expect(await wholeRuns(to())).toEqual([1, 2, 3]);
        expect((await readdir(to())).filter((name) => /part|pending/.test(name))).toEqual([]);
      },
      process.env['EVERY_STEP'] === undefined ? { every: 61, from: code === 'EIO' ? 9 : 23 } : {},
    );
  });

  test('lacks what is damaged here, and says so; a damaged manifest there is made whole', async () => {
    await flip(join(from(), 'disk-000002.qcow2'), (await stat(join(from(), 'disk-000002.qcow2'))).size - 5);
    const { problems, runs } = await copy();
    expect(problems).toMatchObject([
      { run: 2, disk: 'disk', error: { code: 'ERR_CBT_CORRUPT_IMAGE' } },
      { run: 3, disk: 'disk', error: { code: 'ERR_CBT_CORRUPT_IMAGE' } },
    ]);
    expect(problems[0]!.error.message).toContain(from());
    expect(runs).toEqual([1]);
    expect((await readdir(to())).filter((name) => name.includes('000002'))).toEqual([]);
    await cp(join(at('made'), 'disk-000002.qcow2'), join(from(), 'disk-000002.qcow2'));
    await flip(join(to(), 'run-000001.json'), 40);
    expect(await copy()).toMatchObject({ copied: [{ run: 1 }, { run: 2 }, { run: 3 }], problems: [] });
    expect(await wholeRuns(to())).toEqual([1, 2, 3]);
  });

  test('is empty, or one already', async () => {
    const refused = async (): Promise<string> => (await refusalOf(copy())).message;
    expect((await refusalOf(copy({ to: join(from(), '.') }))).message).toContain('another folder');
    await mkdir(to());
    await writeFile(join(to(), 'thesis.txt'), 'years');
    expect(await refused()).toContain('files of somebody else');
    await rm(join(to(), 'thesis.txt'));
    await mark(to());
    expect(await refused()).toContain('the backups of another folder');
    await rm(to(), { recursive: true });
    await copy();
    // A run of its own under the next number.
    const text = JSON.parse(await readFile(join(from(), 'run-000003.json'), 'utf8'));
    await rm(from(), { recursive: true });
    await makeLayerFolder(from(), [{ sizeBytes: KIB64, cells: [1] }]);
    await cp(join(to(), 'folder.json'), join(from(), 'folder.json'));
    expect(text.run).toBe(3);
    expect(await refused()).toContain('is no copy of');
    expect(await wholeRuns(to())).toEqual([1, 2, 3]);
  });
});
