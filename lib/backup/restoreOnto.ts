/**
 * Differential restore: makes images that are there what disks were at a run, writing only where they differ. Where a run stands in an
 * image’s chain nothing else is even read: a terabyte comes back in the time of its changes. What is written is recorded in
 * the image’s own points in time, so backups go on from them, and whoever was interrupted asks for the same again.
 */
import { resolve } from 'node:path';
import { CbtError, type CbtReason, retold, throwIfAborted } from '../core/errors.js';
import type { DiskName, PointId } from '../core/ids.js';
import { type Checks, callback, checkOptions, flag, listOf, required, text } from '../core/options.js';
import type { PitList } from '../core/pitList.js';
import { type OnProgress, Progress } from '../core/progress.js';
import { type HeldImage, withHeldImage } from '../host/heldImage.js';
import { requireNotNeeded } from '../host/neededAsIs.js';
import { findRestoring, markRestoring, unmarkRestoring } from '../host/restoringMark.js';
import { readPoints } from '../host/storedPoints.js';
import { fileIdentity, requireEachFileOnce } from '../linux/fileIdentity.js';
import { freeSpaceFor } from '../linux/freeSpace.js';
import { type Logger, logger } from '../watch/logger.js';
import { ClusterSet } from './clusterSet.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkStack } from './layerFiles.js';
import type { Manifest } from './manifest.js';
import { mayDiffer } from './mayDiffer.js';
import { type ChosenOnto, ONTO_IMAGES, type OntoImage, ontoDisks } from './ontoDisks.js';
import { CALL } from './options.js';
import { type AtRun, atRun, openForReading, selectRun } from './reading.js';
import { toldBackup } from './told.js';
import { extent, requireFits, writeDiffering } from './writeDiffering.js';

/** Which run, and the images that become its disks. */
export interface RestoreOntoOptions {
  /** Folder of the backup. */
  from: string;
  /** Images that no VM uses, qcow2 or raw, or block devices. */
  onto: readonly OntoImage[];
  /** The newest run unless given. */
  at?: AtRun | undefined;
  /** Overwrite images of which the folder does not know that they are these disks, and those below overlays. */
  force?: boolean | undefined;
  /** URIs of libvirts whose domains may need the images as they are: for an overlay above one, or for saved RAM (`BUSY`). */
  libvirts?: readonly string[] | undefined;
  /** Folders that sessions on the VM were given for their files: an overlay that waits there keeps the restore away (`BUSY`). */
  scratchPlaces?: readonly string[] | undefined;
  /** Fires: it ends with `ERR_CBT_ABORTED`. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for all of it; no limit unless given. */
  timeoutMs?: number | undefined;
  /** Told as bytes are compared, of those that may differ. */
  onProgress?: OnProgress | undefined;
  /** Told, before the first write to an image, that no mark can lie beside it: a restore that is killed leaves no sign of it. */
  onWarning?: ((warning: string) => void) | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
}

/** What became of an image. Sizes in bytes. */
export type RestoredOnto =
  | {
      disk: DiskName;
      image: string;
      sizeBytes: number;
      /** How what may differ was found: by the image’s chain since run `base`, or by comparing all data, and why. */
      by: 'changes' | 'content';
      base: number | null;
      reason: CbtReason | null;
      message: string | null;
      /** Whether the image’s points in time still answer: `kept`, `none` where it had none that did, `lost`. */
      points: 'kept' | 'none' | 'lost';
      /** What was looked at, written as data, and made zeros. */
      comparedBytes: number;
      writtenBytes: number;
      zeroedBytes: number;
      error?: undefined;
    }
  | { disk: string; image: string; error: CbtError };

/** What was restored. */
export interface RestoreOntoResult {
  /** Number of the run. */
  run: number;
  /** UUID of the run's point in time. */
  pit: PointId;
  /** Every disk that was asked for. */
  disks: RestoredOnto[];
}

const RESTORE_ONTO: Checks<RestoreOntoOptions> = {
  from: required(text),
  onto: required(ONTO_IMAGES),
  at: atRun,
  force: flag,
  libvirts: listOf(text),
  scratchPlaces: listOf(text),
  onProgress: callback,
  onWarning: callback,
  logger,
  ...CALL,
};

/**
 * Writes every disk onto its image, checked as {@link restore} does. All images are held, and looked at again, before the first is written.
 * Refused until then: images of which the folder knows another disk, or none (`ERR_CBT_INVALID_ARGUMENT`; `force` overwrites them), that are
 * too small, in use, below an overlay, or waited for by saved RAM (`BUSY`). An error after the first write says which images may be restored
 * in part: the same call goes on from there. A layer that is damaged spoils no other disk; where all fail the first error is thrown.
 * @param options From where, which point, onto what.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * await restoreOnto({ from: '/backup/web', onto: [{ image: '/vm/disk.qcow2', disk: 'drive0' }] });
 * ```
 */
export async function restoreOnto(options: RestoreOntoOptions): Promise<RestoreOntoResult> {
  checkOptions('restoreOnto', options, RESTORE_ONTO);
  return toldBackup('restoreOnto', { folder: options.from }, options, restoreAll, (message, { run, pit }) => {
    Object.assign(message, { run, pit });
  });
}

async function restoreAll(options: RestoreOntoOptions): Promise<RestoreOntoResult> {
  const { signal, force = false, onProgress } = options;
  await using opened = await openForReading(options.from);
  const { folder } = opened;
  const run = selectRun(folder, options.at);
  await requireEachFileOnce(
    'onto',
    options.onto.map(({ image }) => image),
  );
  // All of them are known before the first is written.
  const chosen = await ontoDisks({ folder, run, force, signal }, options.onto);
  const work: Work = { folder, run, options, progress: new Progress('restore', onProgress), writing: false };
  const todo = chosen.map((one) => new Restoring(one));
  try {
    for (const one of todo)
      await one.attempt(options, () => checkStack(folder, one.chosen.layers, signal), isDamaged);
    await restoreHeld(work, todo, []);
    for (const one of todo)
      await one.attempt(options, async () => {
        if (one.written === null) return;
        const { newest, ...done } = one.written;
        const points = await pointsAfter(one.path, newest, signal);
        await one.unmark();
        one.done = { disk: one.disk, image: one.path, ...done, points };
      });
  } catch (error) {
    throw inPart(error, todo);
  } finally {
    for (const one of todo) await one.letGo();
  }
  const restored = todo.map((one) => one.told());
  const [first] = restored;
  if (first?.error !== undefined && restored.every(({ error }) => error !== undefined)) throw first.error;
  return { run: run.run, pit: run.pit, disks: restored };
}

interface Work {
  folder: BackupFolder;
  run: Manifest;
  options: RestoreOntoOptions;
  progress: Progress;
  /** Whether all images are held and looked at. */
  writing: boolean;
}

type Written = Awaited<ReturnType<Awaited<ReturnType<typeof prepare>>>>;

/** A disk on its way. */
class Restoring {
  /** Whether anything was written to its image. */
  begun = false;
  written: Written | null = null;
  done: RestoredOnto | null = null;
  error: CbtError | null = null;
  /** Whether the mark at the image is of this restore alone. */
  #mine = false;

  constructor(readonly chosen: ChosenOnto) {}

  get disk(): string {
    return this.chosen.layers.at(-1)?.disk.disk ?? '';
  }

  get path(): string {
    return resolve(this.chosen.image.image);
  }

  /** Does it unless the disk failed before; its failure is kept where it is of that disk alone. */
  async attempt(
    { signal }: RestoreOntoOptions,
    work: () => Promise<unknown>,
    isItsOwn: (error: CbtError) => boolean = () => true,
  ): Promise<void> {
    if (this.error !== null) return;
    try {
      await work();
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL' || !isItsOwn(error)) throw error;
      this.error = error.about(this.disk);
    }
  }

  /** From here on the image may be left in part; one that was left so by an earlier restore is marked already. */
  async mark({ folder, run, options }: Work): Promise<void> {
    const before = await findRestoring(this.path);
    const marked = await markRestoring(this.path, {
      from: folder.path,
      run: run.run,
      pit: run.pit,
      disk: this.disk,
    });
    this.#mine = marked && before === null;
    if (marked || before !== null) return;
    try {
      options.onWarning?.(
        `${this.path}: no mark can lie beside it (a device, or its folder takes no file of that name): killed in the middle, this restore leaves no sign that the image is restored in part; the same command goes on from there`,
      );
    } catch {
      // What a callback throws is its own affair.
    }
  }

  async unmark(): Promise<void> {
    await unmarkRestoring(this.path);
    this.#mine = false;
  }

  /** Nothing was written: the image is what it was. */
  async letGo(): Promise<void> {
    if (this.#mine && !this.begun) await unmarkRestoring(this.path).catch(() => undefined);
  }

  told(): RestoredOnto {
    if (this.error === null && this.done !== null) return this.done;
    const error = this.error ?? new CbtError('ERR_CBT_INTERNAL', `nothing became of ${this.disk}`);
    return { disk: this.disk, image: this.path, error: inPart(error, [this]) };
  }
}

function isDamaged({ code }: CbtError): boolean {
  return code === 'ERR_CBT_CORRUPT_IMAGE';
}

/** The error, with the images that were begun and are not whole, and those that are. */
function inPart<T>(error: T, disks: readonly Restoring[]): T | CbtError {
  const begun = disks.filter((one) => one.begun && one.done === null).map(({ path }) => path);
  const done = disks.flatMap((one) => (one.begun && one.done !== null ? [one.path] : []));
  if (!(error instanceof CbtError) || begun.length + done.length === 0) return error;
  const said = [
    ...(done.length > 0 ? [`${done.join(', ')} restored already`] : []),
    ...(begun.length > 0
      ? [`${begun.join(', ')} may be restored in part: the same command goes on from there`]
      : []),
  ].join('; ');
  return retold(error, { message: `${error.message}; ${said}`, details: { ...error.details, inPart: said } });
}

/** Holds one image after the other, each while the next are held; then writes. Closes them all on every way out. */
async function restoreHeld(
  work: Work,
  todo: readonly Restoring[],
  ready: readonly { one: Restoring; write: Awaited<ReturnType<typeof prepare>> }[],
): Promise<void> {
  const { folder, options, progress } = work;
  const { signal, scratchPlaces, libvirts, force } = options;
  const [one, ...rest] = todo;
  if (one === undefined) {
    await requireNotNeeded(
      ready.map(({ one: { path } }) => path),
      { libvirts, force, signal },
    );
    work.writing = true;
    for (const { one, write } of ready)
      await one.attempt(options, async () => {
        await one.mark(work);
        one.written = await write();
      });
    return;
  }
  if (one.error !== null) return restoreHeld(work, rest, ready);
  const { image, layers } = one.chosen;
  const { format, trust } = image;
  const hold = async (): Promise<void> =>
    withHeldImage(one.path, { format, trust, signal, scratchPlaces }, async (held) => {
      const prepared: { one: Restoring; write: Awaited<ReturnType<typeof prepare>> }[] = [];
      await one.attempt(
        options,
        async () => {
          const write = await prepare({ folder, layers, one, signal }, held, (bytes, total) => {
            progress.totalBytes += total;
            progress.add(one.disk, bytes);
          });
          prepared.push({ one, write });
        },
        isDamaged,
      );
      await restoreHeld(work, rest, [...ready, ...prepared]);
    });
  // What is thrown before the first write is everybody's; later, what closing this image says.
  await one.attempt(options, hold, () => work.writing);
}

/** Looks at all that may refuse the image; the result writes. `newest`: changeId of the newest point that answered before; null where none did. */
async function prepare(
  work: { folder: BackupFolder; layers: readonly Layer[]; one: Restoring; signal: AbortSignal | undefined },
  { disk, data, bitmapBytes }: HeldImage,
  tell: (doneBytes: number, moreBytes: number) => void,
) {
  const { layers, one, signal } = work;
  const { path } = one;
  const { sizeBytes } = data.info;
  const points = await disk.pits({ count: false, signal });
  await requireSame(one, points.epoch);
  requireFits(path, sizeBytes, layers.at(-1)?.disk.sizeBytes ?? 0);
  const { wanted, found } = await mayDiffer({ ...work, disk, points }, sizeBytes);
  const held = ClusterSet.closed(0, sizeBytes);
  for await (const { offset, length } of await disk.allocated({ signal })) held.open(offset, offset + length);
  const onWrite = (): void => {
    one.begun = true;
  };
  const differing = {
    ...work,
    target: data,
    wanted,
    held,
    onWrite,
    onBytes: (bytes: number) => tell(bytes, 0),
  };
  const { compareBytes, growBytes } = await extent(differing, sizeBytes);
  if (bitmapBytes !== null) await requireRoom(path, growBytes + bitmapBytes);
  tell(0, compareBytes);
  return async () => {
    const written = await writeDiffering(differing);
    const { by, base, reason, message } = found;
    const newest = answers(points) ? (points.pits.at(-1)?.changeId ?? null) : null;
    return { newest, sizeBytes, by, base: base?.run.run ?? null, reason, message, ...written };
  };
}

/** A path only leads to an image: while nobody held it, it may have come to lead to another one. */
async function requireSame({ path, chosen }: Restoring, epoch: string | null): Promise<void> {
  const { seen } = chosen;
  const same = seen.identity !== null && (await fileIdentity(path)) === seen.identity;
  if (same && (seen.epoch === null || seen.epoch === epoch)) return;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${path} was not written to: it is another image than a moment ago, when it was found to be ${chosen.layers.at(-1)?.disk.disk}`,
    { disk: path, reason: 'BUSY', details: { path } },
  );
}

function answers({ state }: PitList): boolean {
  return state === 'recording' || state === 'overlay';
}

async function requireRoom(image: string, neededBytes: number): Promise<void> {
  const { bytes, folder } = await freeSpaceFor(image);
  if (bytes === null || bytes >= neededBytes) return;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${image} was not written to: it may grow by ${neededBytes} bytes, and ${bytes} are free in ${folder}`,
    { disk: image, details: { neededBytes, freeBytes: bytes, folder } },
  );
}

/** QEMU ends well also where it could not store bitmaps: the file decides. */
async function pointsAfter(
  path: string,
  newest: string | null,
  signal: AbortSignal | undefined,
): Promise<'kept' | 'none' | 'lost'> {
  if (newest === null) return 'none';
  const points = await readPoints(path, signal);
  return answers(points) && points.pits.at(-1)?.changeId === newest ? 'kept' : 'lost';
}
