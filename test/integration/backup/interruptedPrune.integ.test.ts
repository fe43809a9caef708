/**
 * A prune that was stopped anywhere: its folder is read as it stands, also where it cannot be written to; what it still
 * lists restores to what the disk held; and the next prune finishes the work.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { estimate } from '../../../lib/backup/estimate.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { checkStack } from '../../../lib/backup/layerFiles.js';
import { readLayers } from '../../../lib/backup/layerReader.js';
import { checkNewest } from '../../../lib/backup/listing/checkNewest.js';
import { listRuns } from '../../../lib/backup/listing/listRuns.js';
import { prune } from '../../../lib/backup/prune.js';
import { openForReading } from '../../../lib/backup/reading.js';
import { restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import type { BuiltProgram } from '../../helpers/builtProgram.js';
import { seededRandom } from '../../helpers/guestWriter.js';
import { startQemuNbd } from '../../helpers/nbdServers.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { SEED } from '../../helpers/seed.js';
import { buildDoomed, Doomed } from './doomedProcess.js';
import { ShadowDisk, sumOf } from './shadowDisk.js';

const run = promisify(execFile);
const SIZE = 2 << 20;
const RUNS = 5;
/** As doomed.mjs prunes. */
const RULES = { last: 3 };
/** Every how manieth change a kill comes before; the seed says with which one it begins. */
const STRIDE = Number(process.env['STRIDE'] ?? 4);

let folder: TemporaryFolder;
let built: BuiltProgram;
let image: string;
let to: string;
let readOnly: string;
/** What each run must restore to. */
const expected = new Map<number, string>();

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  built = await buildDoomed();
  image = join(folder.path, 'disk.qcow2');
  to = join(folder.path, 'backups');
  readOnly = join(folder.path, 'read-only');
  await mkdir(readOnly);
  await qemuImg('create', '-q', '-f', 'qcow2', image, String(SIZE));
  const shadow = new ShadowDisk(SIZE);
  const random = seededRandom(SEED);
  for (let number = 1; number <= RUNS; number += 1) {
    await qemuIo(['-f', 'qcow2', image], ...shadow.randomWrites(random, 4));
    const { disks } = await backup(imagesSource([image]), { to });
    expect(disks).toMatchObject([{ verdict: number === 1 ? 'full' : 'incremental' }]);
    expected.set(number, shadow.sum);
  }
  await run('cp', ['-a', to, `${to}.whole`]);
});
beforeEach(async () => {
  await rm(to, { recursive: true });
  await run('cp', ['-a', `${to}.whole`, to]);
});
afterAll(async () => {
  await folder.remove();
  await built.remove();
});

/** What a run shows, read as a restore reads it. */
async function contentOf(from: BackupFolder, number: number): Promise<string> {
  const manifest = from.runs.find((one) => one.run === number);
  const disk = manifest?.disks[0];
  if (manifest === undefined || disk === undefined) throw new Error(`no run ${number}`);
  const layers = from.stack(manifest, disk);
  await checkStack(from, layers);
  // Whatever is not told must not be taken for zeros.
  const content = Buffer.alloc(disk.sizeBytes, 0xee);
  for await (const piece of readLayers(from, layers, { zeros: true })) {
    if (piece.data === null) content.fill(0, piece.offset, piece.offset + piece.length);
    else piece.data.copy(content, piece.offset);
  }
  return sumOf(content);
}

/** Looks at the folder where nothing of it can be changed. */
async function look(): Promise<number[]> {
  await run('mount', ['--bind', to, readOnly]);
  await run('mount', ['-o', 'remount,ro,bind', readOnly]);
  try {
    const { problems } = await verify({ from: readOnly });
    expect(problems).toEqual([]);
    const now = await BackupFolder.read(readOnly);
    const numbers = now.runs.map((one) => one.run);
    const listed = (await listRuns({ from: readOnly })).runs;
    expect(listed.map((one) => [one.run, one.good])).toEqual(numbers.map((number) => [number, true]));
    expect(await checkNewest({ from: readOnly, maxAgeMs: 3_600_000 })).toMatchObject({ good: true });
    expect(numbers).toEqual(expect.arrayContaining([3, 4, 5]));
    for (const number of numbers)
      expect(await contentOf(now, number), `run ${number}`).toBe(expected.get(number));
    return numbers;
  } finally {
    await run('umount', [readOnly]);
  }
}

async function finishes(others: readonly string[] = []): Promise<void> {
  await prune({ from: to, rules: RULES });
  expect(await look()).toEqual([3, 4, 5]);
  const left = (await readdir(to)).filter((name) => name.endsWith('.part') || name === 'merge.json');
  expect(left).toEqual(others);
}

test(`killed before each of its changes to the folder (SEED=${SEED})`, { timeout: 900_000 }, async () => {
  let next = new Doomed(built);
  const seen = new Set<string>();
  for (let changes = 1 + (SEED % STRIDE); ; changes += STRIDE) {
    const doomed = next;
    next = new Doomed(built);
    const done = await doomed.work({ op: 'prune', image, to, changes, afterChange: false }, 60_000);
    await noLocks();
    const numbers = await look();
    const merging = (await readdir(to)).includes('merge.json');
    seen.add(`${numbers.join(' ')}${merging ? ', merging' : ''}`);
    if (merging && seen.size % 2 === 0) {
      const file = join(folder.path, 'restored.raw');
      await restore({ from: to, to: file, force: true });
      expect((await stat(file)).size).toBe(SIZE);
      expect(await estimate(imagesSource([image]), { to })).toMatchObject([{ base: { run: RUNS } }]);
    }
    if (merging || done) await finishes();
    if (done) break;
    await rm(to, { recursive: true });
    await run('cp', ['-a', `${to}.whole`, to]);
  }
  await next.dismiss();
  expect([...seen].sort()).toEqual(['1 2 3 4 5', '2 3 4 5', '2 3 4 5, merging', '3 4 5', '3 4 5, merging']);
});

test('stopped in the middle of the copying, by a limit on the size of the file: it can be tried again', async () => {
  const wrapper = join(folder.path, 'qemu-nbd');
  const real = process.env['QEMU_NBD'] ?? 'qemu-nbd';
  const { size } = await stat(join(to, 'disk-000001.qcow2'));
  const before = process.env['QEMU_NBD'];
  let stopped = 0;
  for (let more = 1; more <= 12; more += 1) {
    // In units of 512 bytes; QEMU is ended by a signal at the first write beyond, whatever it was doing.
    const limit = Math.ceil(size / 512) + more * 64 - 32;
    await writeFile(wrapper, `#!/bin/bash\nulimit -f $(( ${limit} / 2 ))\nexec ${real} "$@"\n`);
    await chmod(wrapper, 0o755);
    process.env['QEMU_NBD'] = wrapper;
    try {
      await prune({ from: to, rules: RULES }).catch(() => {
        stopped += 1;
      });
    } finally {
      if (before === undefined) delete process.env['QEMU_NBD'];
      else process.env['QEMU_NBD'] = before;
    }
    expect((await look()).slice(-3)).toEqual([3, 4, 5]);
  }
  expect(stopped).toBeGreaterThan(2);
  await finishes();
});

test('a prune waits for nobody who reads: it is BUSY, and so is a reader while it works; a backup is in nobody’s way', async () => {
  {
    await using _reader = await openForReading(to);
    await using _another = await openForReading(to);
    expect(await refusalOf(prune({ from: to, rules: RULES }))).toMatchObject({ reason: 'BUSY' });
    expect(await backup(imagesSource([image]), { to })).toMatchObject({ run: RUNS + 1 });
  }
  const readers: unknown[] = [];
  await prune({
    from: to,
    rules: RULES,
    source: {
      ...imagesSource([image]),
      forget: async () => {
        if (readers.length > 0) return;
        readers.push(await refusalOf(verify({ from: to })));
        readers.push(await refusalOf(restore({ from: to, to: join(folder.path, 'r') })));
      },
    },
  });
  expect(readers).toMatchObject([{ reason: 'BUSY' }, { reason: 'BUSY' }]);
  expect((await verify({ from: to })).problems).toEqual([]);
  expect(await readdir(to)).not.toContain('reading.json');
});

test('a layer that a QEMU has open is kept and said, above or below; what a merge left unrecorded is cleared up', async () => {
  for (const number of [1, 2]) {
    await rm(to, { recursive: true });
    await run('cp', ['-a', `${to}.whole`, to]);
    await writeFile(join(to, 'disk-000002.sums.part'), 'of a prune that was killed');
    await writeFile(join(to, 'web-000002.sums.part'), 'of somebody else');
    const layer = join(to, `disk-00000${number}.qcow2`);
    const node = { driver: 'qcow2', backing: null, file: { driver: 'file', filename: layer } };
    const server = await startQemuNbd(folder.path, '-r', `json:${JSON.stringify(node)}`);
    try {
      const { layers } = await prune({ from: to, rules: RULES });
      const kept = layers.filter(({ action }) => action === 'kept');
      expect(kept).toMatchObject(
        [1, 2].slice(0, number).map((one) => ({ run: one, because: expect.stringContaining('qemu-nbd') })),
      );
      expect(await readdir(to)).not.toContain('merge.json');
      expect((await verify({ from: to })).problems).toEqual([]);
    } finally {
      await server.stop();
    }
  }
  await finishes(['web-000002.sums.part']);
});

/** The QEMU programs of a killed process end by themselves; until then they hold locks on files. */
async function noLocks(): Promise<void> {
  const names = await readdir(to);
  const inodes = await Promise.all(names.map((name) => stat(join(to, name)).then(({ ino }) => `:${ino} `)));
  await expect
    .poll(
      async () => {
        const { stdout } = await run('cat', ['/proc/locks']);
        return inodes.some((inode) => stdout.includes(inode));
      },
      { timeout: 20_000, interval: 10 },
    )
    .toBe(false);
}
