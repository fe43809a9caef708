/**
 * A backup run whose layers are objects of a target. The manifest is written last and makes the run exist; until then nothing that anybody reads has
 * changed. Then the point in time is kept on the disks that are part of the run.
 */
import { randomUUID } from 'node:crypto';
import type { CallOptions } from '../../core/callOptions.js';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import type { PointId } from '../../core/ids.js';
import { type Checks, callback, checkOptions, flag, integer, limitOf, required } from '../../core/options.js';
import { type OnProgress, Progress } from '../../core/progress.js';
import { type Logger, logger } from '../../watch/logger.js';
import { checkedSource } from '../checkedSource.js';
import { copyLayer } from '../copyLayer.js';
import { CALL, source as checkSource, MAX_JOBS } from '../options.js';
import { RateLimit } from '../rate.js';
import type { BackupSource, FailedDisk, SourceDisk, SourceSession } from '../source.js';
import { type BackupTarget, target as checkTarget, targetFailed } from '../target.js';
import { toldBackup } from '../told.js';
import { chooseObjectBase, type ObjectChoice } from './objectBase.js';
import { ObjectLayerWriter } from './objectLayer.js';
import { formatObjectManifest, keysOf, type ObjectDisk, runKey } from './objectManifest.js';
import { ObjectRuns } from './objectRuns.js';

/** Where to, and how. */
export interface BackupToTargetOptions extends CallOptions {
  /** Where the run is kept. */
  to: BackupTarget;
  /** Copy everything, also where an incremental backup is possible. */
  full?: boolean | undefined;
  /** Disks copied at the same time, 1 to 16; 2 unless given. */
  jobs?: number | undefined;
  /** Most bytes read a second, over all disks. */
  bytesPerSecond?: number | undefined;
  /** Told as bytes are read. */
  onProgress?: OnProgress | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
  /** The time, for manifests. */
  clock?: (() => Date) | undefined;
}

/** What a run came to. */
export interface BackupToTargetResult {
  /** Key of the run's manifest; null when no disk could be backed up: then there is no run. */
  run: string | null;
  /** UUID of its point in time. */
  pit: PointId | null;
  /** Those that are in the run. */
  disks: ObjectDisk[];
  /** Those that are not, and why. */
  failed: FailedDisk[];
  /** What whoever looks after backups should know. */
  warnings: string[];
}

const BACKUP: Checks<BackupToTargetOptions> = {
  to: required(checkTarget),
  full: flag,
  jobs: integer(1, MAX_JOBS),
  bytesPerSecond: limitOf(1),
  onProgress: callback,
  logger,
  clock: callback,
  ...CALL,
};
const QUEUE_BYTES = 8 << 20;

/**
 * One run: every disk of the source at one instant into the target, incremental where its chain allows. A disk that fails is in `failed`, the others
 * stand; a run that fails as a whole throws, and leaves neither a run nor its point in time.
 * @param source What is backed up.
 * @param options Where to, and how.
 * @throws `CbtError`, and what the target throws.
 * @example
 * ```ts
 * import { connectVm } from 'qemu-cbt';
 * await using vm = await connectVm('/run/vms/web.qmp');
 * const { disks } = await backupToTarget(vmSource(vm), { to: folderTarget('/backup/objects') });
 * ```
 */
export async function backupToTarget(
  source: BackupSource,
  options: BackupToTargetOptions,
): Promise<BackupToTargetResult> {
  checkSource(source, 'source');
  checkOptions('backupToTarget', options, BACKUP);
  return toldBackup(
    'backupToTarget',
    { folder: options.to.name, vm: source.vm },
    options,
    (own) => new Run(checkedSource(source), own).run(),
    (message, { pit }) => {
      Object.assign(message, { pit, session: pit });
    },
  );
}

interface Plan extends ObjectChoice {
  disk: SourceDisk;
  sequence: number | null;
  changedBytes: number;
  /** The number that its keys are made of. */
  object: number;
}

class Run {
  readonly #source: BackupSource;
  readonly #options: BackupToTargetOptions;
  /** Keys that this run may have written. */
  readonly #made: string[] = [];
  readonly #warnings: string[] = [];

  constructor(source: BackupSource, options: BackupToTargetOptions) {
    this.#source = source;
    this.#options = options;
  }

  async run(): Promise<BackupToTargetResult> {
    const { to, signal, clock = () => new Date() } = this.#options;
    const startedAt = clock();
    const held = await ObjectRuns.read(to, signal);
    const facts = await this.#source.facts(signal);
    const session = await this.#source.begin(randomUUID(), signal);
    try {
      const { pit } = session;
      const failed = [...session.failed];
      const plans = await this.#plan(held, session, failed);
      const copied = await this.#copyAll(session, plans, failed);
      const wrong = await session.check();
      failed.push(...wrong);
      const isWrong = ({ disk }: ObjectDisk): boolean => wrong.some((one) => one.disk === disk);
      for (const { object } of copied.filter(isWrong)) await this.#drop(pit, object);
      const sound = copied.filter((disk) => !isWrong(disk)).toSorted((a, b) => a.object - b.object);
      throwIfAborted(signal);
      if (sound.length === 0) {
        await this.#undo(session);
        this.#warnings.push(...session.warnings);
        return { run: null, pit: null, disks: [], failed, warnings: this.#warnings };
      }
      const key = runKey(startedAt, pit, held.keys);
      await this.#publish(key, {
        pit,
        startedAt: startedAt.toISOString(),
        finishedAt: clock().toISOString(),
        source: { kind: facts.kind, name: facts.name, uuid: facts.uuid },
        disks: sound,
        failed: failed.map(({ disk, error }) => ({
          disk,
          code: error.code,
          reason: error.reason ?? null,
          message: error.message.slice(0, 65_536),
        })),
      });
      await this.#commit(session, sound);
      this.#warnings.push(...session.warnings);
      return { run: key, pit, disks: sound, failed, warnings: this.#warnings };
    } catch (error) {
      await this.#undo(session).catch((second: unknown) => {
        this.#warnings.push(String(second));
      });
      throwIfAborted(signal);
      throw error;
    }
  }

  async #plan(held: ObjectRuns, session: SourceSession, failed: FailedDisk[]): Promise<Plan[]> {
    const { full = false, signal } = this.#options;
    const plans: Plan[] = [];
    for (const disk of session.disks) {
      try {
        const points = await disk.points(signal);
        const twin = session.disks.find(
          (one) => one !== disk && one.epoch !== null && one.epoch === disk.epoch,
        );
        const choice = await chooseObjectBase(held, disk, { points, twin: twin?.disk ?? null, full, signal });
        const sequence = points.find((one) => one.pit === session.pit)?.sequence ?? null;
        plans.push({
          ...choice,
          disk,
          sequence,
          changedBytes: await choice.map.changedBytes(),
          object: plans.length,
        });
      } catch (error) {
        failed.push(await this.#ofOneDisk(session, disk.disk, error));
      }
    }
    return plans;
  }

  async #copyAll(
    session: SourceSession,
    plans: readonly Plan[],
    failed: FailedDisk[],
  ): Promise<ObjectDisk[]> {
    const { to, bytesPerSecond = Number.POSITIVE_INFINITY, onProgress } = this.#options;
    const totalBytes = plans.reduce((sum, { changedBytes }) => sum + changedBytes, 0);
    const progress = new Progress('copy', onProgress, { totalBytes });
    const rate = Number.isFinite(bytesPerSecond) ? new RateLimit(bytesPerSecond) : null;
    const waiting = plans.values();
    const copied: ObjectDisk[] = [];
    const worker = async (): Promise<void> => {
      for (const plan of waiting) {
        const { pit } = session;
        const about = { folder: to.name, disk: plan.disk.disk, pit, session: pit };
        try {
          copied.push(await toldBackup('copy', about, {}, () => this.#copy(pit, plan, rate, progress)));
        } catch (error) {
          failed.push(await this.#ofOneDisk(session, plan.disk.disk, error));
        }
      }
    };
    const jobs = Math.min(this.#options.jobs ?? 2, Math.max(1, plans.length));
    const ended = await Promise.allSettled(Array.from({ length: jobs }, worker));
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
    return copied;
  }

  async #copy(pit: string, plan: Plan, rate: RateLimit | null, progress: Progress): Promise<ObjectDisk> {
    const { to, signal } = this.#options;
    const { disk, verdict, reason, message, base, map, changedBytes, sequence, object } = plan;
    const sizeBytes = Math.ceil(disk.sizeBytes / 512) * 512;
    const keys = keysOf(pit, object);
    const data = await disk.openData(signal);
    try {
      if (data.info.sizeBytes !== sizeBytes)
        throw new CbtError(
          'ERR_CBT_MAP_MISMATCH',
          `${disk.disk} has ${sizeBytes} bytes, but its data has ${data.info.sizeBytes}`,
          { disk: disk.disk },
        );
      this.#made.push(keys.data, keys.sums);
      const layer = new ObjectLayerWriter(to, keys, { sizeBytes, signal });
      try {
        const stored = await copyLayer({
          source: data,
          target: layer,
          map,
          sizeBytes,
          full: verdict === 'full',
          sums: layer,
          rate,
          queueBytes: QUEUE_BYTES,
          signal,
          onBytes: (bytes) => progress.add(disk.disk, bytes),
        });
        const sums = await layer.finish();
        const { epoch, changeId } = disk;
        const of = { disk: disk.disk, sizeBytes, epoch, changeId, sequence, verdict, reason, message };
        return { ...of, object, base: base?.key ?? null, sums, changedBytes, ...stored };
      } catch (error) {
        await layer.giveUp(error);
        await this.#drop(pit, object);
        throw error;
      }
    } finally {
      await data.close().catch(() => undefined);
    }
  }

  /** What was written of a disk that is no part of the run; what cannot be removed is told by `verifyTarget`. */
  async #drop(pit: string, object: number): Promise<void> {
    for (const key of Object.values(keysOf(pit, object)))
      await this.#options.to.remove(key).catch((error: unknown) => {
        this.#warnings.push(targetFailed(this.#options.to, key, 'removing', error).message);
      });
  }

  async #publish(
    key: string,
    manifest: Omit<Parameters<typeof formatObjectManifest>[0], 'format' | 'version'>,
  ): Promise<void> {
    const { to, signal } = this.#options;
    const text = Buffer.from(formatObjectManifest({ format: 'qemu-cbt-objects', version: 1, ...manifest }));
    this.#made.push(key);
    try {
      await to.write(key, piecesOf(text), { atMostBytes: text.length, signal });
    } catch (error) {
      throw targetFailed(to, key, 'writing', error);
    }
  }

  /** The run stands already: a point in time that could not be kept costs the next run some reading, no data. */
  async #commit(session: SourceSession, disks: readonly ObjectDisk[]): Promise<void> {
    const later = 'the next run copies what changed since an earlier one';
    try {
      for (const { disk, error } of await session.commit(disks.map((one) => one.disk)))
        this.#warnings.push(
          `${disk}: its point in time was not kept as it should be (${error.message}); ${later}`,
        );
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      this.#warnings.push(`the points in time of this run were not kept (${error.message}); ${later}`);
    }
  }

  /** The point in time first, then the manifest, then what it names: nobody ever finds a run without its data. */
  async #undo(session: SourceSession): Promise<void> {
    for (const { disk, error } of await session.rollback())
      this.#warnings.push(`${disk}: the point in time ${session.pit} stays (${error.message})`);
    for (const key of this.#made.toReversed()) await this.#options.to.remove(key);
  }

  async #ofOneDisk(session: SourceSession, disk: string, error: unknown): Promise<FailedDisk> {
    throwIfAborted(this.#options.signal);
    if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
    await session.check();
    return { disk, error: error.about(disk) };
  }
}

async function* piecesOf(data: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield data;
}
