/**
 * kill -9 at KILLS random moments of backups and prunes, half of them at a random instant, half right before or after a change
 * to the file system. No run that was complete may be lost or changed, the next run must go on by itself, and what it makes
 * must restore to what the disk holds.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { MERGE_NAME } from '../../../lib/backup/mergeJournal.js';
import { prune } from '../../../lib/backup/prune.js';
import { restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import { openDisk } from '../../../lib/host/open.js';
import type { BuiltProgram } from '../../helpers/builtProgram.js';
import { seededRandom } from '../../helpers/guestWriter.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { SEED } from '../../helpers/seed.js';
import { buildDoomed, Doomed } from './doomedProcess.js';
import { ShadowDisk, sumOf } from './shadowDisk.js';

const ROUNDS = Number(process.env['KILLS'] ?? 60);
const SIZE = 2 << 20;
/** Rounds between looking at everything. */
const LOOK_EVERY = 10;
let folder: TemporaryFolder;
let built: BuiltProgram;
beforeAll(async () => {
  folder = await makeTemporaryFolder();
  built = await buildDoomed();
});
afterAll(async () => {
  await folder.remove();
  await built.remove();
});

/** One disk and its folder, with what each run must restore to. */
class Lane {
  readonly shadow = new ShadowDisk(SIZE);
  readonly expected = new Map<number, string>();
  readonly image: string;
  readonly to: string;
  killed = 0;
  finished = 0;
  #next = new Doomed(built);

  constructor(
    readonly path: string,
    readonly random: (below: number) => number,
  ) {
    this.image = join(path, 'disk.qcow2');
    this.to = join(path, 'backups');
  }

  async round(number: number): Promise<void> {
    await qemuIo(['-f', 'qcow2', this.image], ...this.shadow.randomWrites(this.random, 2, 150_000));
    const process = this.#next;
    this.#next = new Doomed(built);
    const op = this.random(4) === 0 ? 'prune' : 'backup';
    const atChange = this.random(2) === 0;
    const before = (await this.runs()).map(({ run }) => run);
    const journal = await readFile(join(this.to, MERGE_NAME), 'utf8').catch(() => '{}');
    const merging = (JSON.parse(journal) as { below?: number }).below;
    const order = {
      op,
      image: this.image,
      to: this.to,
      ...(atChange && {
        changes: 1 + this.random(op === 'prune' ? 40 : 30),
        afterChange: this.random(2) === 0,
      }),
    };
    const finished = await process.work(order, atChange ? 20_000 : this.random(700));
    if (finished) this.finished += 1;
    else this.killed += 1;
    await this.helpersGone();
    const runs = await this.runs();
    for (const { run } of runs) if (!before.includes(run)) this.expected.set(run, this.shadow.sum);
    // A merge that was begun is brought to its end by whoever comes next.
    const survive = op === 'backup' ? before.filter((run) => run !== merging) : before.slice(-3);
    expect(runs.map(({ run }) => run)).toEqual(expect.arrayContaining(survive));
    if (number % LOOK_EVERY === 0) await this.look();
  }

  /** The QEMU programs of a killed process end by themselves; until then they hold locks on files. */
  async helpersGone(): Promise<void> {
    const names = await readdir(this.to).catch(() => []);
    const files = [this.image, ...names.map((name) => join(this.to, name))];
    const inodes = await Promise.all(files.map((file) => stat(file).then(({ ino }) => `:${ino} `)));
    for (const started = performance.now(); performance.now() - started < 20_000; await sleep(5)) {
      const locks = await readFile('/proc/locks', 'utf8');
      if (!inodes.some((inode) => locks.includes(inode))) return;
    }
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid,ppid,stat,etimes,args']);
    throw new Error(
      `helper programs of a killed process do not end:\n${stdout
        .split('\n')
        .filter((line) => line.includes(this.path))
        .join('\n')}`,
    );
  }

  async runs() {
    const { runs, damaged } = await BackupFolder.read(this.to, { create: true });
    expect(damaged).toEqual([]);
    return runs;
  }

  /** A run after the crashes, then every run restored and compared. */
  async look(): Promise<void> {
    const { run, disks, warnings } = await backup(imagesSource([this.image]), { to: this.to });
    expect(warnings).toEqual([]);
    for (const disk of disks) if ('error' in disk) throw disk.error;
    this.expected.set(run ?? 0, this.shadow.sum);
    for (const each of await this.runs()) {
      const file = join(this.path, 'restored.raw');
      await restore({ from: this.to, at: { pit: each.pit }, to: file, force: true });
      expect(sumOf(await readFile(file)), `run ${each.run}`).toBe(this.expected.get(each.run));
    }
    expect((await verify({ from: this.to })).problems).toEqual([]);
  }

  async end(): Promise<void> {
    await this.#next.dismiss();
    await this.look();
    await prune({ from: this.to, rules: { last: 1 } });
    await this.look();
    // Nothing of interrupted runs is left, neither files nor points in time.
    const { names, runs } = await BackupFolder.read(this.to);
    const listed = runs.flatMap(({ run, disks }) => [
      `run-${String(run).padStart(6, '0')}.json`,
      ...disks.flatMap(({ file, sums }) => [file, sums.file]),
    ]);
    expect(names.filter((name) => name !== 'forgotten.json').sort()).toEqual(
      ['folder.json', ...listed].sort(),
    );
    await using disk = await openDisk(this.image);
    const points = (await disk.pits()).pits.length;
    expect(points).toBeLessThanOrEqual(this.expected.size);
  }
}

describe('backups that are killed', () => {
  test(`${ROUNDS} kills lose nothing (SEED=${SEED})`, { timeout: 1_200_000 }, async () => {
    const lanes: Lane[] = [];
    for (const index of [0, 1]) {
      const path = join(folder.path, String(index));
      await mkdir(path);
      const lane = new Lane(path, seededRandom(SEED + index));
      await qemuImg('create', '-q', '-f', 'qcow2', lane.image, String(SIZE));
      lanes.push(lane);
    }
    await Promise.all(
      lanes.map(async (lane) => {
        for (let number = 1; lane.killed < ROUNDS / lanes.length; number += 1) await lane.round(number);
        await lane.end();
      }),
    );
    console.log(lanes.map(({ killed, finished }) => `${killed} killed, ${finished} finished`).join('; '));
  });
});
