/** What a folder holds, as `list` tells it: rightly also where it is hostile, damaged, or being pruned while it is read. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';

import { listRuns } from '../../../lib/backup/listing/listRuns.js';

import { prune } from '../../../lib/backup/prune.js';

import { cli } from '../../helpers/cli.js';
import { makeLayerFolder } from '../../helpers/layerFolder.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';
import { change, failsInto, makeRuns, manifestOf } from './changedRuns.js';

const run = promisify(execFile);
const KIB64 = 65_536;
let folder: TemporaryFolder;
let to: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  to = join(folder.path, 'backups');
});
afterEach(() => folder.remove());

const problemsOf = async (): Promise<(string | null)[]> =>
  (await listRuns({ from: to })).runs.flatMap(({ disks }) => disks.map(({ problem }) => problem));

describe('a listing', () => {
  test('has every run with sizes, reasons and what it builds on; the same in JSON', async () => {
    await makeRuns(to, 3);
    const list = await listRuns({ from: to });
    expect(list).toMatchObject({
      folder: to,
      runs: [
        { run: 1, good: true, keptBy: null, disks: [{ verdict: 'full', base: null, storedBytes: KIB64 }] },
        { run: 2, good: true, disks: [{ verdict: 'incremental', base: 1, changedBytes: KIB64 }] },
        { run: 3, good: true, disks: [{ verdict: 'incremental', base: 2, problem: null }] },
      ],
      damaged: [],
      merging: null,
    });
    expect(list.freeBytes).toBeGreaterThan(0);
    const { stdout, code } = await cli('list', to, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ runs: list.runs });
  });

  test('in columns, with local times', async () => {
    await makeRuns(to, 2);
    await change(to, 1, ({ disks }) => ({
      disks: disks.map((disk) => ({ ...disk, reason: 'CRASHED' as const, message: 'QEMU was killed' })),
    }));
    const before = process.env['TZ'];
    process.env['TZ'] = 'Asia/Kolkata';
    try {
      const { stdout } = await cli('list', to);
      expect(stdout).toMatch(/begun \(UTC\+05:30\)/);
      expect(stdout).toMatch(/ {2}1 {2}2026-01-01 05:30:00 .*64 KiB .*full, CRASHED: QEMU was killed\n/);
      expect(stdout).toMatch(/ {2}2 {2}2026-01-02 05:30:00 .*incremental on 1\n/);
    } finally {
      if (before === undefined) delete process.env['TZ'];
      else process.env['TZ'] = before;
    }
  });

  test('shows the rules that keep a run, and keeps what a prune by them keeps', async () => {
    await makeRuns(to, 9);
    // The newest is not whole: the newest that is stays too.
    await rm(join(to, 'disk-000009.qcow2'));
    for (const rules of [{ last: 2 }, { daily: 4 }, { weekly: 1 }, { last: 1, weekly: 2 }]) {
      const list = await listRuns({ from: to, rules });
      const kept = list.runs.filter(({ keptBy }) => keptBy !== null && keptBy.length > 0);
      expect(kept.map(({ run: number }) => number)).toEqual(
        (await prune({ from: to, rules, dryRun: true })).kept,
      );
    }
    const { stdout } = await cli('list', to, '--keep-last', '1', '--keep-weekly', '2');
    expect(stdout).toMatch(/9 .* last, weekly {2}.*CANNOT BE RESTORED: disk-000009.qcow2 is missing/);
    expect(stdout).toMatch(/8 .* newest whole/);
    expect(stdout).toMatch(/7 .* - +incremental/);
  });

  test('a run that is protected is one beside those of a rule: alone it is a usage error, and nothing is forgotten', async () => {
    await makeRuns(to, 4);
    for (const args of [
      ['prune', '--from', to],
      ['list', to],
    ]) {
      const { code, stderr } = await cli(...args, '--protect', '2');
      expect(code).toBe(2);
      expect(stderr).toMatch(
        /ERR_CBT_INVALID_ARGUMENT.*--protect is "2", expected at least one of --keep-last/,
      );
    }
    expect(await refusalOf(prune({ from: to, rules: { protect: ['2'] } }))).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
    });
    expect((await listRuns({ from: to })).runs).toHaveLength(4);
    const { runs } = await listRuns({ from: to, rules: { last: 1, protect: ['2'] } });
    expect(runs.map(({ keptBy }) => keptBy)).toEqual([[], ['protect'], [], ['last']]);
  });

  test('a rule chooses for each disk: a later run in which it failed does not take its day', async () => {
    await makeRuns(to, 3);
    const at = (startedAt: string) => () => ({ startedAt, finishedAt: startedAt });
    // The day before, at two in the night, and a retry at nine that has another disk only.
    await change(to, 1, at('2026-01-01T12:00:00.000Z'));
    await change(to, 2, at('2026-01-02T12:00:00.000Z'));
    await failsInto(to, 'vda', 3);
    await change(to, 3, at('2026-01-02T13:00:00.000Z'));
    const rules = { daily: 2 };
    expect((await prune({ from: to, rules, dryRun: true })).kept).toEqual([1, 2, 3]);
    const { runs } = await listRuns({ from: to, rules });
    expect(runs.map(({ keptBy }) => keptBy)).toEqual([['daily'], ['newest', 'daily'], ['newest', 'daily']]);
  });

  test('says when the points of a disk were taken', async () => {
    const image = join(folder.path, 'web.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '1M');
    const { run: number, pit } = await backup(imagesSource([image]), { to });
    const [listed] = (await listRuns({ from: to })).runs;
    const { stdout } = await cli('pits', image, '--from', to, '--json');
    expect(JSON.parse(stdout).pits).toMatchObject([{ pit, run: number, takenAt: listed?.startedAt }]);
    expect((await cli('pits', image, '--from', to)).stdout).toMatch(/taken +run .*\n +1 .*:\d\d +1 /);
    const other = join(folder.path, 'others');
    await makeLayerFolder(other, [{ sizeBytes: KIB64, cells: [1] }]);
    const none = JSON.parse((await cli('pits', image, '--from', other, '--json')).stdout);
    expect(none.pits).toMatchObject([{ run: null, takenAt: null }]);
  });

  test('a folder without a backup, and none at all, are errors', async () => {
    expect(await refusalOf(listRuns({ from: to }))).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE' });
    await mkdir(to);
    expect((await cli('list', to)).code).toBe(5);
    expect(await refusalOf(listRuns({ from: to, rules: { last: 0 } }))).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
    });
  });
});

describe('a folder that is not as it was written', () => {
  beforeEach(() => makeRuns(to, 4));

  test.each([
    ['a link', (path: string) => symlink('/dev/zero', path)],
    ['a FIFO', (path: string) => run('mkfifo', [path])],
    ['a folder', (path: string) => mkdir(path)],
    ['nothing', () => Promise.resolve()],
  ])('%s in a layer’s place: its run cannot be restored, nor what builds on it', async (_, put) => {
    await rm(join(to, 'disk-000002.qcow2'));
    await put(join(to, 'disk-000002.qcow2'));
    expect(await problemsOf()).toEqual([
      null,
      ...Array(3).fill(expect.stringContaining('disk-000002.qcow2')),
    ]);
  });

  test.each([
    ['a link', (path: string) => symlink('/dev/zero', path)],
    ['a FIFO', (path: string) => run('mkfifo', [path])],
    ['another’s JSON', (path: string) => writeFile(path, '{"__proto__":{"run":2},"run":2}')],
    ['no JSON', (path: string) => writeFile(path, 'run 2')],
    [
      'a changed byte',
      async (path: string) =>
        writeFile(path, (await readFile(`${path}.whole`, 'utf8')).replace('"run": 2', '"run": 3')),
    ],
  ])('%s in a manifest’s place: the run is damaged, and the others are told', async (_, put) => {
    await rename(manifestOf(to, 2), `${manifestOf(to, 2)}.whole`);
    await put(manifestOf(to, 2));
    const list = await listRuns({ from: to });
    expect(list.runs.map(({ run: number }) => number)).toEqual([1, 3, 4]);
    expect(list.damaged).toMatchObject([{ run: 2, file: 'run-000002.json' }]);
    expect(list.runs.map(({ good }) => good)).toEqual([true, false, false]);
    const { stdout, code } = await cli('list', to);
    expect(code).toBe(0);
    expect(stdout).toContain('run 2 is not listed');
    expect(stdout.match(/CANNOT BE RESTORED/g)).toHaveLength(2);
  });

  test('a disk called __proto__ is a disk, and what a terminal obeys is shown', async () => {
    const name = '\u001b]0;own\u0007';
    await rename(join(to, 'disk-000001.qcow2'), join(to, '__proto__-000001.qcow2'));
    await rename(join(to, 'disk-000001.sums'), join(to, '__proto__-000001.sums'));
    await change(to, 1, ({ disks }) => ({
      disks: disks.map((disk) => ({
        ...disk,
        disk: name,
        key: '__proto__',
        file: '__proto__-000001.qcow2',
        sums: { ...disk.sums, file: '__proto__-000001.sums' },
      })),
    }));
    const { runs } = await listRuns({ from: to, rules: { last: 1 } });
    expect(runs[0]).toMatchObject({
      keptBy: ['last'],
      disks: [{ key: '__proto__', series: '__proto__', problem: null }],
    });
    expect(runs[1]?.disks[0]?.problem).toContain('has no disk disk');
    expect((await cli('list', to)).stdout).toContain('\\u001b]0;own\\u0007');
  });
});

test('while a prune works, every listing is of one instant: each run that it has can be restored', {
  timeout: 120_000,
}, async () => {
  await makeRuns(to, 9);
  let working = true;
  const work = prune({ from: to, rules: { last: 2 } }).finally(() => {
    working = false;
  });
  const seen = new Set<number>();
  const merging = new Set<number>();
  while (working) {
    const { runs, merging: now } = await listRuns({ from: to });
    expect(runs.filter(({ good }) => !good)).toEqual([]);
    expect(runs.map(({ run: number }) => number)).toEqual(expect.arrayContaining([8, 9]));
    seen.add(runs.length);
    if (now !== null) merging.add(now.below);
  }
  await work;
  expect(seen.size).toBeGreaterThan(2);
  expect(merging.size).toBeGreaterThan(0);
  expect((await listRuns({ from: to })).runs.map(({ run: number }) => number)).toEqual([8, 9]);
});
