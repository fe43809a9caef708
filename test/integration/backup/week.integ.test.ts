/**
 * A week of a VM's life on a compressed clock: several backups a day, guests that write meanwhile, cancelled runs, a QEMU
 * that is killed, one that is stopped and started, a VM backed up while it is off, a prune every few days. In the end, and
 * after every prune, each run must restore to exactly what the disk held at its instant.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BackupResult, backup } from '../../../lib/backup/backup.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { prune } from '../../../lib/backup/prune.js';
import { restore } from '../../../lib/backup/restore.js';
import type { BackupSource } from '../../../lib/backup/source.js';
import { verify } from '../../../lib/backup/verify.js';
import { verifyAgainst } from '../../../lib/backup/verifyAgainst.js';
import { vmSource } from '../../../lib/backup/vmSource.js';
import type { Vm } from '../../../lib/core/vm.js';
import { connectVm } from '../../../lib/host/vm.js';
import { seededRandom } from '../../helpers/guestWriter.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { SEED } from '../../helpers/seed.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { ShadowDisk, sumOf } from './shadowDisk.js';

const SIZE = 8 << 20;
const NODES = ['a', 'b'] as const;
const HOUR_MS = 3_600_000;

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(() => folder.remove());

/** Two disks in one process that stands for the VM, with the shadow of each. */
class Life {
  readonly shadows = new Map(NODES.map((node) => [node, new ShadowDisk(SIZE)]));
  /** What each run must restore to, by run and key. */
  readonly kept = new Map<string, string>();
  time = Date.parse('2026-03-02T01:00:00Z');
  daemon: StorageDaemon | null = null;
  readonly to: string;

  constructor(
    readonly path: string,
    readonly random: (below: number) => number,
  ) {
    this.to = join(path, 'backups');
  }

  image(node: string): string {
    return join(this.path, `${node}.qcow2`);
  }

  async start(): Promise<void> {
    this.daemon = await StorageDaemon.start({
      disks: NODES.map((node) => ({ node, file: this.image(node), options: { discard: 'unmap' } })),
    });
    await this.daemon.exportWritable(...NODES);
  }

  async stop(how: 'ordered' | 'killed'): Promise<void> {
    await this.daemon?.process.control.execute('nbd-server-stop').catch(() => undefined);
    await (how === 'ordered' ? this.daemon?.process.terminate() : this.daemon?.process.kill());
    await this.daemon?.[Symbol.asyncDispose]();
    this.daemon = null;
  }

  async write(count: number): Promise<void> {
    for (const [node, shadow] of this.shadows) {
      const commands = shadow.randomWrites(this.random, count);
      if (this.daemon !== null) await this.daemon.guestIo(node, ...commands);
      else await qemuIo(['-f', 'qcow2', '-d', 'unmap', this.image(node)], ...commands);
    }
  }

  async vm(): Promise<Vm> {
    const daemon = this.daemon as StorageDaemon;
    return connectVm(daemon.process.file('qmp.sock'), { nbdSocket: daemon.nbdPath });
  }

  async withSource<T>(work: (source: BackupSource, vm: Vm | null) => Promise<T>): Promise<T> {
    if (this.daemon === null) return work(imagesSource(NODES.map((node) => this.image(node))), null);
    await using vm = await this.vm();
    const options = { nbdSocket: this.daemon.nbdPath, scratch: { folder: this.path }, disks: [...NODES] };
    return await work(vmSource(vm, options), vm);
  }

  /** A run; what the disks hold as it begins is what it must restore to, whatever is written meanwhile. */
  async run(options: { full?: boolean; signal?: AbortSignal; during?: () => Promise<void> } = {}) {
    this.time += HOUR_MS;
    const sums = new Map([...this.shadows].map(([node, shadow]) => [node as string, shadow.sum]));
    let once = options.during;
    let writing: Promise<void> | undefined;
    const result = await this.withSource((source) =>
      backup(source, {
        to: this.to,
        full: options.full,
        signal: options.signal,
        clock: () => new Date(this.time),
        onDisk: () => {
          writing ??= once?.();
          once = undefined;
        },
      }),
    ).finally(() => writing);
    for (const disk of result.disks) {
      if ('error' in disk) throw disk.error;
      this.kept.set(`${result.run} ${disk.key}`, sums.get(disk.key) ?? '');
    }
    return result;
  }

  async checkAll(): Promise<void> {
    const { runs, damaged } = await BackupFolder.read(this.to);
    expect(damaged).toEqual([]);
    for (const run of runs) {
      for (const disk of run.disks) {
        const file = join(this.path, 'restored.raw');
        await restore({ from: this.to, at: { pit: run.pit }, disk: disk.key, to: file, force: true });
        expect(sumOf(await readFile(file)), `run ${run.run}, disk ${disk.key}`).toBe(
          this.kept.get(`${run.run} ${disk.key}`),
        );
      }
    }
    expect((await verify({ from: this.to })).problems).toEqual([]);
  }
}

function verdicts({ disks }: BackupResult): string[] {
  return disks.map((disk) => (disk.error === undefined ? disk.verdict : disk.error.code));
}

describe('a week of a VM', () => {
  test(`every run restores what it saw (SEED=${SEED})`, async () => {
    const life = new Life(folder.path, seededRandom(SEED));
    for (const node of NODES) await qemuImg('create', '-q', '-f', 'qcow2', life.image(node), String(SIZE));
    await life.start();
    await life.write(8);
    expect(verdicts(await life.run())).toEqual(['full', 'full']);

    for (let day = 1; day <= 7; day += 1) {
      // Morning and evening, the guest writing while the copy runs.
      await life.write(3);
      expect(verdicts(await life.run({ during: () => life.write(3) }))).toEqual([
        'incremental',
        'incremental',
      ]);
      await life.write(2);
      if (day === 2) {
        // Cancelled in the middle: nothing of it stays, and the next run has all its changes.
        const cancel = new AbortController();
        const before = (await BackupFolder.read(life.to)).runs.length;
        const cancelled = life.run({ signal: cancel.signal, during: async () => cancel.abort() });
        await expect(cancelled).rejects.toMatchObject({ code: 'ERR_CBT_ABORTED' });
        expect((await BackupFolder.read(life.to)).runs.length).toBe(before);
        await life.write(1);
      }
      if (day === 3) {
        // Stopped in order, backed up while off by its paths, started again: the chains go on.
        await life.stop('ordered');
        const off = await life.run();
        expect(verdicts(off)).toEqual(['incremental', 'incremental']);
        expect(off.disks.map((disk) => 'key' in disk && disk.key)).toEqual(['a', 'b']);
        await life.write(2);
        await life.start();
      }
      if (day === 4) {
        // Killed: no chain can be trusted, and the run says so and starts anew.
        await life.stop('killed');
        await life.start();
        const anew = await life.run();
        expect(anew.disks).toMatchObject([
          { verdict: 'full', reason: 'CRASHED' },
          { verdict: 'full', reason: 'CRASHED' },
        ]);
      }
      if (day === 5) {
        expect(verdicts(await life.run({ full: true }))).toEqual(['full', 'full']);
      }
      await life.run({ during: () => life.write(1) });
      if (day % 3 === 0 || day === 7) {
        await life.withSource(async (source) => {
          const rules = { last: 2, daily: 4, weekly: 1 };
          const { warnings, waiting } = await prune({ from: life.to, rules, source });
          expect(waiting).toEqual([]);
          expect(warnings).toEqual([]);
        });
        await life.checkAll();
        const against = await life.withSource((source) => verifyAgainst(source, { from: life.to }));
        expect(against.map(({ error }) => error)).toEqual([undefined, undefined]);
      }
      life.time = Date.parse('2026-03-02T01:00:00Z') + day * 24 * HOUR_MS;
    }
    await life.stop('ordered');
  });
});
