/** What a folder holds, as `list` tells it: rightly also where it is hostile, damaged, or being pruned while it is read. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { checkNewest } from '../../../lib/backup/listing/checkNewest.js';
import { listRuns } from '../../../lib/backup/listing/listRuns.js';
import { formatManifest, type Manifest, parseManifest } from '../../../lib/backup/manifest.js';
import { prune } from '../../../lib/backup/prune.js';
import { cli, cliWith } from '../../helpers/cli.js';
import { makeLayerFolder } from '../../helpers/layerFolder.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const KIB64 = 65_536;
const HOUR = 3_600_000;
let folder: TemporaryFolder;
let to: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  to = join(folder.path, 'backups');
});
afterEach(() => folder.remove());

const manifestOf = (number: number): string => join(to, `run-00000${number}.json`);

/** Runs of a disk of four clusters, each writing one; on 1, 2, 3 … January 2026. */
async function makeRuns(count: number): Promise<void> {
  const cells = (at: number): (number | null)[] => [0, 1, 2, 3].map((i) => (i === at % 4 ? at : null));
  await makeLayerFolder(
    to,
    Array.from({ length: count }, (_, i) => ({ sizeBytes: 4 * KIB64, cells: cells(i + 1) })),
  );
}

/** Writes a run's manifest anew, changed. */
async function change(number: number, how: (manifest: Manifest) => Partial<Manifest>): Promise<void> {
  const path = manifestOf(number);
  const manifest = parseManifest(await readFile(path, 'utf8'), path, number);
  await writeFile(path, formatManifest({ ...manifest, ...how(manifest) }));
}

/** Begun so long ago, by this machine's clock. */
const ago = (ms: number) => () => {
  const at = new Date(Date.now() - ms).toISOString();
  return { startedAt: at, finishedAt: at };
};

const problemsOf = async (): Promise<(string | null)[]> =>
  (await listRuns({ from: to })).runs.flatMap(({ disks }) => disks.map(({ problem }) => problem));

describe('a listing', () => {
  test('has every run with sizes, reasons and what it builds on; the same in JSON', async () => {
    await makeRuns(3);
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
    await makeRuns(2);
    await change(1, ({ disks }) => ({
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
    await makeRuns(9);
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

  test('says when the points of a disk were taken', async () => {
    const image = join(folder.path, 'web.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '1M');
    const { run: number, pit } = await backup(imagesSource([image]), { to });
    const [listed] = (await listRuns({ from: to })).runs;
    const { stdout } = await cli('pits', image, '--from', to, '--json');
    expect(JSON.parse(stdout).pits).toMatchObject([{ uuid: pit, run: number, takenAt: listed?.startedAt }]);
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
  beforeEach(() => makeRuns(4));

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
    await rename(manifestOf(2), `${manifestOf(2)}.whole`);
    await put(manifestOf(2));
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
    await change(1, ({ disks }) => ({
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
      keptBy: ['newest'],
      disks: [{ key: '__proto__', series: '__proto__', problem: null }],
    });
    expect(runs[1]?.disks[0]?.problem).toContain('has no disk disk');
    expect((await cli('list', to)).stdout).toContain('\\u001b]0;own\\u0007');
  });
});

test('while a prune works, every listing is of one instant: each run that it has can be restored', {
  timeout: 120_000,
}, async () => {
  await makeRuns(9);
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

describe('the newest good run', () => {
  beforeEach(async () => {
    await makeRuns(2);
    await change(1, ago(30 * HOUR));
    await change(2, ago(5 * HOUR));
  });
  const check = async (...more: string[]): Promise<number> =>
    (await cli('list', to, '--check', ...more)).code;

  test('is young enough, or the exit code is 6', async () => {
    expect(await check('26h')).toBe(0);
    expect(await check('4h')).toBe(6);
    expect(await check('241m')).toBe(6);
    expect(await checkNewest({ from: to, maxAgeMs: 6 * HOUR })).toMatchObject({
      good: true,
      disks: [{ disk: 'disk', run: 2, good: true, problem: null }],
    });
    const { stdout } = await cli('list', to, '--check', '1h');
    expect(stdout).toMatch(/^NOT GOOD disk: run 2, .* \(5 h ago\); its newest good run, 2, began at /);
  });

  test('is an older one where the files of the newest are not as they were written', async () => {
    await truncate(join(to, 'disk-000002.qcow2'), 1000);
    expect(await checkNewest({ from: to, maxAgeMs: 26 * HOUR })).toMatchObject({
      good: false,
      disks: [
        {
          run: 1,
          problem: expect.stringMatching(/run, 1, began.*; run 2: disk-000002.qcow2 has 1000 bytes/),
        },
      ],
    });
    expect(await check('31h')).toBe(0);
    expect(await check('31h', '--strict')).toBe(6);
  });

  test('is none where nothing is whole, where there is no such disk, and where the folder is empty', async () => {
    expect(await check('26h', '--disk', 'disk')).toBe(0);
    expect(await check('26h', '--disk', 'disk', 'vdb')).toBe(6);
    await rm(join(to, 'disk-000001.qcow2'));
    expect(await checkNewest({ from: to, maxAgeMs: 90 * HOUR })).toMatchObject({
      disks: [{ run: null, good: false }],
    });
    await rm(to, { recursive: true });
    await mkdir(to);
    expect(await checkNewest({ from: to, maxAgeMs: HOUR })).toMatchObject({ good: false, disks: [] });
  });

  test('of a disk that only ever failed', async () => {
    await change(2, () => ({
      failed: [{ disk: 'vdb', code: 'ERR_CBT_INTERNAL', reason: null, message: 'x' }],
    }));
    expect(await check('26h')).toBe(6);
    expect(await check('26h', '--disk', 'disk')).toBe(0);
  });

  test('strictly, did not fail since', async () => {
    expect(await check('26h', '--strict')).toBe(0);
    await change(2, () => ({
      failed: [{ disk: 'vdb', code: 'ERR_CBT_INTERNAL', reason: null, message: 'x' }],
    }));
    expect(await check('26h', '--strict', '--disk', 'disk')).toBe(0);
    await change(2, ({ disks, failed }) => ({
      disks: disks.map((disk) => ({ ...disk, disk: 'vdb' })),
      failed: failed.map((one) => ({ ...one, disk: 'disk' })),
    }));
    await rm(join(to, 'disk-000002.qcow2'));
    await change(1, ago(HOUR));
    // Its newest layer is not whole, and the run that failed came after the one that is.
    expect(await check('26h')).toBe(0);
    expect(await check('26h', '--strict')).toBe(6);
  });

  test('strictly, is not full because the chain was lost', async () => {
    await rm(manifestOf(2));
    await change(1, ({ disks }) => ({
      ...ago(HOUR)(),
      disks: disks.map((disk) => ({ ...disk, reason: 'CRASHED' as const, message: 'QEMU was killed' })),
    }));
    expect(await check('26h')).toBe(0);
    const { code, stdout } = await cli('list', to, '--check', '26h', '--strict');
    expect(code).toBe(6);
    expect(stdout).toContain('run 1 is full, CRASHED: QEMU was killed');
  });

  test('is not dated in the future', async () => {
    await change(2, ago(-HOUR));
    expect(await checkNewest({ from: to, maxAgeMs: HOUR })).toMatchObject({
      disks: [{ problem: expect.stringContaining('still to come') }],
    });
  });

  test('usage errors name the option', async () => {
    for (const [option, ...args] of [
      ['--check', '--check', '26'],
      ['--strict', '--strict'],
      ['--disk', '--disk', 'a'],
      ['--check', '--check', '26h', '--keep-last', '1'],
    ]) {
      const { code, stderr } = await cliWith({}, 'list', to, ...args);
      expect(code).toBe(2);
      expect(stderr).toContain(`${option}`);
    }
    expect(await refusalOf(checkNewest({ from: to, maxAgeMs: HOUR, vm: 'web' }))).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
    });
  });
});
