/**
 * One backup run: a session, a layer per disk, a manifest. The order is what makes it safe against a crash at any moment:
 *
 *   1. lock the folder, bring it into order        nothing of this run exists
 *   2. begin the session (the point in time)       a crash from here on: the next run rolls it back
 *   3. copy every disk to `<layer>.part`
 *   4. check the session, sync, rename the layers  without a manifest they are nothing
 *   5. write the manifest: the run exists          a crash here: the point may be rolled back, the run stays good, and
 *   6. commit the session                          the next one builds on the run below it
 */
import { randomUUID } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { CbtError, throwIfAborted } from '../core/errors.js';
import type { PointId } from '../core/ids.js';
import { checkOptions } from '../core/options.js';
import { Progress } from '../core/progress.js';
import { BACKUP, type BackupOptions } from './backupOptions.js';
import { checkedSource } from './checkedSource.js';
import { identityOf } from './copies.js';
import { type CopyWork, copyDisks, filesOf, removeLayer } from './copyDisks.js';
import { removeFile, replaceFile, syncFolder } from './durable.js';
import { onFile } from './fileFault.js';
import type { BackupFolder } from './folder.js';
import { type DiskRun, formatManifest, type Manifest } from './manifest.js';
import { writeMark } from './mark.js';
import { manifestName, PART } from './names.js';
import { source as checkSource } from './options.js';
import { claimFolder } from './owner.js';
import { type PendingRun, undoPoints, writePending } from './pending.js';
import { planDisks } from './planDisks.js';
import type { BackupSource, FailedDisk, SourceFacts, SourceSession } from './source.js';
import { toldBackup } from './told.js';
import { openForWriting } from './writing.js';

export type DiskResult = (DiskRun & { error?: undefined }) | FailedDisk;

export interface BackupResult {
  /** Null when every disk failed: then nothing was kept. */
  run: number | null;
  /** UUID of its point in time; null where nothing was kept. */
  pit: PointId | null;
  /** Every disk, those that failed included. */
  disks: DiskResult[];
  /** What whoever looks after backups should know. */
  warnings: string[];
}

/**
 * One run: every disk of the source at one instant into the folder, incremental where its chain allows. Disks that fail
 * are in the result, the others stand; a run that fails as a whole throws a `CbtError`, and leaves the folder and the
 * points in time as they were. A source that the folder is not of is `ERR_CBT_INVALID_ARGUMENT`, unless `adopt` or `as` say otherwise.
 * @param source What is backed up.
 * @param options Where to, and how.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * import { connectVm } from 'qemu-cbt';
 * await using vm = await connectVm('/run/vms/web.qmp');
 * const { disks } = await backup(vmSource(vm), { to: '/backup/web' });
 * ```
 */
export async function backup(source: BackupSource, options: BackupOptions): Promise<BackupResult> {
  checkSource(source, 'source');
  checkOptions('backup', options, BACKUP);
  return toldBackup(
    'backup',
    { folder: options.to, vm: source.vm },
    options,
    (own) => runOnce(checkedSource(source), own),
    (message, { run, pit }) => {
      Object.assign(message, { run, pit, session: pit });
    },
  );
}

async function runOnce(source: BackupSource, options: BackupOptions): Promise<BackupResult> {
  const { signal, clock = () => new Date() } = options;
  const startedAt = clock();
  await using target = await openForWriting(options.to, { create: true });
  const { warnings } = target;
  const facts = await source.facts(signal);
  await requireNoLayer(target.folder, facts);
  const { owner, mark, folder } = await claimFolder(target.folder, facts, options, startedAt);
  if (mark !== target.folder.mark) await writeMark(folder.path, mark);
  const undone = await undoPoints(target.pending, facts, source, signal);
  warnings.push(...undone.warnings);
  const run = folder.nextRun;
  const pending = new PendingNote(folder.path, undone.left, {
    run,
    pit: randomUUID(),
    images: source.leavesPoint ? facts.disks.map(({ disk }) => disk) : [],
    files: [],
  });
  const session = await begin(source, pending, signal);
  const made = new Set<string>();
  try {
    const ofOneDisk = async (disk: string, error: unknown): Promise<FailedDisk> => {
      throwIfAborted(signal);
      if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
      await session.check();
      return { disk, error: error.about(disk) };
    };
    const { full = false, as } = options;
    const { disks, pit } = session;
    const planned = await planDisks({ folder, owner, facts, disks, pit, full, as, signal, ofOneDisk });
    await pending.note({ files: [...filesOf(run, planned.plans), manifestName(run) + PART] });
    const progress = new Progress('copy', options.onProgress);
    const work = { folder, run, pit, made, options, progress, ofOneDisk };
    const copied = await copyDisks(work, planned.plans);
    const failed = [...session.failed, ...planned.failed, ...copied.failed];
    const layers = await keepSound(work, copied.layers, await session.check(), failed);
    throwIfAborted(signal);
    if (layers.length === 0) {
      warnings.push(...(await undo(folder, session, made, pending)), ...session.warnings);
      return { run: null, pit: null, disks: failed, warnings };
    }
    await publish(folder, {
      format: 'qemu-cbt-backup',
      version: 2,
      run,
      pit,
      startedAt: startedAt.toISOString(),
      finishedAt: clock().toISOString(),
      source: {
        kind: facts.kind,
        name: facts.name,
        uuid: facts.uuid,
        owner: owner.id,
        definition: facts.definition,
      },
      disks: layers,
      failed: failed.map(({ disk, error }) => ({
        disk,
        code: error.code,
        reason: error.reason ?? null,
        message: error.message,
      })),
    });
    warnings.push(...(await commit(session, layers)), ...session.warnings);
    await pending.clear();
    return { run, pit, disks: [...layers, ...failed], warnings };
  } catch (error) {
    const undone = await undo(folder, session, made, pending).then(
      (left) => left.map((text) => `; moreover, ${text}`).join(''),
      (second: unknown) =>
        `; and undoing failed: ${second instanceof Error ? second.message : String(second)}`,
    );
    // A terminal's Ctrl-C reaches our helper programs as well: what they said of their end is not the cause.
    throwIfAborted(signal);
    if (undone === '' || !(error instanceof CbtError)) throw error;
    throw new CbtError(error.code, error.message + undone, {
      ...(error.reason === undefined ? {} : { reason: error.reason }),
      details: error.details,
      cause: error,
    });
  }
}

/** A run's line in `pending.json`, beside those of others that are still to be undone. */
class PendingNote {
  readonly #folder: string;
  readonly #others: readonly PendingRun[];
  #own: PendingRun;

  constructor(folder: string, others: readonly PendingRun[], own: PendingRun) {
    this.#folder = folder;
    this.#others = others;
    this.#own = own;
  }

  get own(): PendingRun {
    return this.#own;
  }

  async note(change: Partial<PendingRun>): Promise<void> {
    this.#own = { ...this.#own, ...change };
    await writePending(this.#folder, [...this.#others, this.#own]);
  }

  /** Nothing is left of the run but what is on these images. */
  async clear(images: readonly string[] = []): Promise<void> {
    const own = images.length === 0 ? [] : [{ ...this.#own, images: [...images], files: [] }];
    await writePending(this.#folder, [...this.#others, ...own]);
  }
}

async function begin(
  source: BackupSource,
  pending: PendingNote,
  signal: AbortSignal | undefined,
): Promise<SourceSession> {
  const { pit, images } = pending.own;
  if (images.length > 0) await pending.note({});
  try {
    return await source.begin(pit, signal);
  } catch (error) {
    // Where it came before it failed is not known: what it left on images is looked for. A VM's session leads the next begin to its point.
    if (images.length > 0) await undoAfter(source, pending).catch(() => undefined);
    throw error;
  }
}

/** Where that fails, the folder's note stays as it is: the next run undoes it. */
async function undoAfter(source: BackupSource, pending: PendingNote): Promise<void> {
  const { left } = await undoPoints([pending.own], await source.facts(undefined), source, undefined);
  await pending.clear(left.flatMap((run) => run.images));
}

/** An image that is a layer of the folder would be backed up onto itself. */
async function requireNoLayer(folder: BackupFolder, facts: SourceFacts): Promise<void> {
  const own = new Map<string, string>();
  for (const { disks } of folder.runs)
    for (const { file } of disks) own.set((await identityOf(folder.file(file))) ?? '', file);
  own.delete('');
  for (const { disk, image } of facts.disks) {
    const layer = image === null ? undefined : own.get((await identityOf(image)) ?? '');
    if (layer === undefined) continue;
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `${disk} is ${layer} of the backup folder ${folder.path}: a disk that was restored is a file of its own (qemu-cbt restore)`,
      { disk, details: { file: layer } },
    );
  }
}

/** Drops what was read of a disk that somebody wrote to. */
async function keepSound(
  work: CopyWork,
  layers: readonly DiskRun[],
  wrong: readonly FailedDisk[],
  failed: FailedDisk[],
): Promise<DiskRun[]> {
  const kept: DiskRun[] = [];
  for (const layer of layers) {
    const found = wrong.find(({ disk }) => disk === layer.disk);
    if (found === undefined) {
      kept.push(layer);
      continue;
    }
    failed.push(found);
    await removeLayer(work, layer);
  }
  return kept;
}

async function publish(folder: BackupFolder, manifest: Manifest): Promise<void> {
  const text = formatManifest(manifest);
  for (const { file, sums } of manifest.disks) {
    for (const name of [file, sums.file]) {
      await onFile(folder.file(name), 'renaming', () => rename(folder.file(name + PART), folder.file(name)));
    }
  }
  await syncFolder(folder.path);
  await replaceFile(folder.file(manifestName(manifest.run)), text);
}

/** The run stands already: a point in time that could not be kept costs the next run some reading, no data. */
async function commit(session: SourceSession, layers: readonly DiskRun[]): Promise<string[]> {
  const later = 'the next run copies what changed since an earlier one';
  const kept = layers.map(({ disk }) => disk);
  try {
    const failed = await session.commit(kept);
    return failed.map(({ disk, error }) =>
      kept.includes(disk)
        ? `${disk}: its point in time was not kept (${error.message}); ${later}`
        : `${disk}: its point in time ${session.pit} stays, although it was not backed up (${error.message})`,
    );
  } catch (error) {
    if (!(error instanceof CbtError)) throw error;
    return [`the points in time of this run were not kept (${error.message}); ${later}`];
  }
}

/** The point in time first: it is what would be missed. Files without a manifest go now or with the next run. */
async function undo(
  folder: BackupFolder,
  session: SourceSession,
  made: ReadonlySet<string>,
  pending: PendingNote,
): Promise<string[]> {
  const left = await session.rollback();
  for (const name of made) await removeFile(folder.file(name));
  await pending.clear(left.map(({ disk }) => disk));
  return left.map(
    ({ disk, error }) => `${disk} keeps the point in time ${session.pit} for now (${error.message})`,
  );
}
