/**
 * Random lives of several disks in one folder: names exchanged, files moved, copied and put back, histories lost to crashes,
 * resets and conversions, the VM on and off, manifests away for a while, prunes. Every run that is there restores to the byte what
 * its disk held, no disk loses its last state, and what somebody else has in the folder stays as it is.
 */
import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { estimate } from '../../../lib/backup/estimate.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { prune } from '../../../lib/backup/prune.js';
import { restore } from '../../../lib/backup/restore.js';
import { seriesIn } from '../../../lib/backup/series.js';
import type { BackupSource } from '../../../lib/backup/source.js';
import { verify } from '../../../lib/backup/verify.js';
import { CbtError } from '../../../lib/core/errors.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { seededRandom } from '../../helpers/guestWriter.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { SEED } from '../../helpers/seed.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { pretendVm } from './pretendVm.js';
import { ShadowDisk, sumOf } from './shadowDisk.js';

const SIZE = 1 << 20;
const STEPS = Number(process.env['STEPS'] ?? 30);
const STRANGERS = ['web-000002.qcow2', 'x-000004.sums', 'notes.txt', 'disk0-000003.qcow2.part'];

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(() => folder.remove());

interface Disk {
  path: string;
  shadow: ShadowDisk;
}

class Life {
  readonly disks: Disk[] = [];
  /** Files that were put aside, with what they held. */
  readonly vault: { path: string; content: Buffer }[] = [];
  /** What each run must restore to, by run and key. */
  readonly kept = new Map<string, string>();
  readonly to: string;
  readonly said: string[] = [];
  #names = 0;

  constructor(
    readonly path: string,
    readonly random: (below: number) => number,
  ) {
    this.to = join(path, 'backups');
  }

  newPath(): string {
    this.#names += 1;
    return join(this.path, `disk${this.#names}.qcow2`);
  }

  pick(): Disk {
    return this.disks[this.random(this.disks.length)] as Disk;
  }

  async add(): Promise<void> {
    const disk = { path: this.newPath(), shadow: new ShadowDisk(SIZE) };
    await qemuImg('create', '-q', '-f', 'qcow2', disk.path, String(SIZE));
    this.disks.push(disk);
    await this.write(disk);
  }

  async write(disk: Disk): Promise<void> {
    const commands = disk.shadow.randomWrites(this.random, 2, 100_000);
    await qemuIo(['-f', 'qcow2', '-d', 'unmap', disk.path], ...commands);
  }

  async exchange(): Promise<void> {
    const [one, two] = [this.pick(), this.pick()];
    if (one === two) return;
    const third = join(this.path, 'third');
    await rename(one.path, third);
    await rename(two.path, one.path);
    await rename(third, two.path);
    [one.path, two.path] = [two.path, one.path];
  }

  async move(): Promise<void> {
    const disk = this.pick();
    const path = this.newPath();
    await rename(disk.path, path);
    disk.path = path;
  }

  async copy(): Promise<void> {
    if (this.disks.length > 4) return;
    const disk = this.pick();
    const path = this.newPath();
    await copyFile(disk.path, path);
    const shadow = new ShadowDisk(SIZE);
    disk.shadow.content.copy(shadow.content);
    this.disks.push({ path, shadow });
  }

  async putAside(): Promise<void> {
    const disk = this.pick();
    const path = join(this.path, `aside${this.vault.length}`);
    await copyFile(disk.path, path);
    this.vault.push({ path, content: Buffer.from(disk.shadow.content) });
  }

  async putBack(): Promise<void> {
    const old = this.vault[this.random(Math.max(1, this.vault.length))];
    if (old === undefined) return;
    const disk = this.pick();
    await copyFile(old.path, disk.path);
    old.content.copy(disk.shadow.content);
  }

  async crash(): Promise<void> {
    const disk = this.pick();
    const daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: disk.path }] });
    await daemon.exportWritable('a');
    await daemon.guestIo('a', ...disk.shadow.randomWrites(this.random, 1, 100_000), 'flush');
    await daemon.process.kill();
    await daemon[Symbol.asyncDispose]();
  }

  async loseHistory(): Promise<void> {
    const { path } = this.pick();
    if (this.random(2) === 0) {
      await new ImageTracking([path]).reset();
      return;
    }
    await qemuImg('convert', '-f', 'qcow2', '-O', 'qcow2', path, `${path}.new`);
    await rename(`${path}.new`, path);
  }

  source(): BackupSource {
    const order = this.disks.toSorted(() => this.random(3) - 1);
    if (this.random(2) === 0) {
      const some = this.random(3) === 0 ? order.slice(0, 1 + this.random(order.length)) : order;
      return imagesSource(some.map(({ path }) => path));
    }
    const disks = Object.fromEntries(order.map(({ path }, index) => [`drive${index}`, path]));
    return pretendVm({ uuid: '44444444-4444-4444-8444-444444444444', disks });
  }

  async run(): Promise<void> {
    const source = this.source();
    let adopt = false;
    const told = await estimate(source, { to: this.to }).catch((error: unknown) => {
      // All that could tell whose it is was lost: a person says so.
      if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_INVALID_ARGUMENT') throw error;
      adopt = true;
      return estimate(source, { to: this.to, adopt });
    });
    const { run, disks, warnings } = await backup(source, { to: this.to, adopt });
    expect(warnings).toEqual([]);
    for (const disk of disks) {
      if ('error' in disk) throw disk.error;
      const found = this.disks.find(({ path }) => path === disk.image);
      this.kept.set(`${run} ${disk.key}`, found?.shadow.sum ?? '');
      const { verdict, base } = disk;
      expect(told).toContainEqual(expect.objectContaining({ disk: disk.disk, verdict, base }));
    }
  }

  /** Prunes, also while a manifest is away; a layer that cannot be judged then is told as damage. */
  async prune(): Promise<void> {
    const before = seriesIn(await BackupFolder.read(this.to));
    const away = this.random(3) === 0 ? before[this.random(before.length)]?.layers[0]?.run.run : undefined;
    const name = `run-${String(away).padStart(6, '0')}.json`;
    if (away !== undefined) await rename(join(this.to, name), join(this.path, name));
    const source = this.random(2) === 0 ? undefined : imagesSource(this.disks.map(({ path }) => path));
    await prune({ from: this.to, rules: { last: 1 + this.random(3) }, source }).catch((error: unknown) => {
      const known = error instanceof CbtError && away !== undefined && error.code === 'ERR_CBT_CORRUPT_IMAGE';
      // The folder may be nobody's that can be told after losses: then nothing is forgotten on these disks.
      const refused = error instanceof CbtError && error.code === 'ERR_CBT_INVALID_ARGUMENT';
      if (!known && !refused) throw error;
    });
    if (away !== undefined) await rename(join(this.path, name), join(this.to, name));
    const after = new Set(seriesIn(await BackupFolder.read(this.to)).map(({ id }) => id));
    for (const { id } of before) expect(after.has(id), `series ${id} is still there`).toBe(true);
  }

  async check(): Promise<void> {
    const { runs, damaged, names } = await BackupFolder.read(this.to);
    expect(damaged).toEqual([]);
    const restored = join(this.path, 'restored.raw');
    for (const run of runs)
      for (const { disk, key } of run.disks) {
        await restore({ from: this.to, at: { run: run.run }, disk, to: restored, force: true });
        expect(sumOf(await readFile(restored)), `run ${run.run}, ${key}`).toBe(
          this.kept.get(`${run.run} ${key}`),
        );
      }
    expect((await verify({ from: this.to })).problems).toEqual([]);
    for (const name of STRANGERS) expect(await readFile(join(this.to, name), 'utf8')).toBe(name);
    const own = runs.flatMap(({ run, disks }) => [
      `run-${String(run).padStart(6, '0')}.json`,
      ...disks.flatMap(({ file, sums }) => [file, sums.file]),
    ]);
    const records = ['folder.json', 'forgotten.json', 'lock.json'];
    expect(names.filter((name) => !records.includes(name)).sort()).toEqual([...own, ...STRANGERS].sort());
  }

  async step(): Promise<void> {
    const acts: [number, string][] = [
      [6, 'run'],
      [5, 'write'],
      [2, 'exchange'],
      [1, 'move'],
      [1, 'copy'],
      [1, 'putAside'],
      [1, 'putBack'],
      [1, 'crash'],
      [1, 'loseHistory'],
      [2, 'prune'],
    ];
    const all = acts.flatMap(([weight, name]) => Array.from({ length: weight }, () => name));
    const act = all[this.random(all.length)] ?? 'run';
    this.said.push(act);
    if (act === 'write') await this.write(this.pick());
    else await this[act as 'run']();
  }
}

describe('disks in one folder', () => {
  test(`are restored as what they were, whatever became of their names (SEED=${SEED})`, {
    timeout: 900_000,
  }, async () => {
    const life = new Life(folder.path, seededRandom(SEED));
    await mkdir(life.to);
    for (const name of STRANGERS) await writeFile(join(life.to, name), name);
    for (let i = 0; i < 3; i += 1) await life.add();
    try {
      await life.run();
      for (let step = 0; step < STEPS; step += 1) {
        await life.step();
        if (life.said.at(-1) === 'prune') await life.check();
      }
      await life.run();
      await life.check();
    } catch (error) {
      throw new Error(`after ${life.said.join(', ')}: ${String(error)}`, { cause: error });
    }
  });
});
