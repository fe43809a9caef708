/**
 * Points in time on images that no VM uses. QEMU itself changes the files: a short-lived qemu-storage-daemon opens them,
 * takes one transaction and quits; then the files are read again, because QEMU only logs it when it could not store a
 * bitmap, and a clean exit proves nothing.
 */
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { BitmapChange } from '../backend/image/qcow2/bitmapRoom.js';
import { isNotFollowed } from '../backend/image/stack.js';
import { QmpTrackingTarget } from '../backend/qemu/graph/trackingTarget.js';
import type { ImageToOpen } from '../backend/qemu/openForWriting.js';
import { withStorageDaemon } from '../backend/qemu/storageDaemon.js';
import { refusedDisk } from '../core/beginPlan.js';
import { CbtError, type DiskFailure, invalidArgument } from '../core/errors.js';
import {
  abortSignal,
  type Checks,
  checkCall,
  checkOptions,
  flag,
  granularity,
  listOf,
  names,
  oneOf,
  point,
  text,
  uuid,
} from '../core/options.js';
import { parsePoint } from '../core/point.js';
import { type Instant, requireUuid } from '../core/pointInTime.js';
import { tellsPointLeft, withoutPointLeft, withPointLeft } from '../core/pointLeft.js';
import { parseSegmentName } from '../core/segmentName.js';
import type { PitInfo } from '../core/trackedDisk.js';
import {
  type BeginOutcome,
  begin,
  type DiskOutcome,
  disable,
  enable,
  forget,
  reset,
  rollback,
  type TrackingOutcome,
  undo,
} from '../core/tracking.js';
import type { TrackingTarget } from '../core/trackingTarget.js';
import { requireEachFileOnce } from '../linux/fileIdentity.js';
import { imageNode } from './imageName.js';
import { type OpenDiskOptions, openImageDisk } from './openFile.js';
import { requireRoomForBitmaps } from './roomForBitmaps.js';
import { readHistories, requireStored, undoPoint } from './storedPoints.js';
import { requireNoWaitingOverlay, uncommittedPoints } from './waitingOverlay.js';

/** What is known of the images before they are looked at. */
export interface ImageOptions {
  /** What they are: said by whoever knows. Told from each file unless given, and then nothing that it names is opened. */
  format?: OpenDiskOptions['format'];
  /** Whether formats that only the bytes tell are believed, and what such files name is opened. */
  trust?: boolean | undefined;
  /** Folders that sessions were given for their files: an overlay may wait there, as it may beside the images and in the folder for temporary files. */
  scratchPlaces?: readonly string[] | undefined;
}

/** How tracking of images starts, or starts anew. */
export interface StartOptions {
  /** UUID of the point in time; drawn unless given. */
  pit?: string | undefined;
  /** Bytes per bit, a power of two from 512 to 2 GiB; QEMU's choice unless given (64 KiB as a rule). */
  granularityBytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Which point a session on images takes, and from which one it is incremental. */
export interface BeginOptions {
  /** UUID of the new point in time; drawn unless given. */
  pit?: string | undefined;
  /** The point an incremental backup starts from; the newest one unless given. */
  base?: string | Instant | undefined;
  signal?: AbortSignal | undefined;
}

/** A session on images at rest: its whole state is in the images. */
export interface ImageSession {
  pit: string;
  disks: BeginOutcome[];
  /** What the caller should know although it is done. */
  warnings: readonly string[];
}

const IMAGE: Checks<ImageOptions> = {
  format: oneOf('qcow2', 'raw', 'parallels'),
  trust: flag,
  scratchPlaces: listOf(text),
};
const START: Checks<StartOptions> = { pit: uuid, granularityBytes: granularity, signal: abortSignal };
const BEGIN: Checks<BeginOptions> = { pit: uuid, base: point, signal: abortSignal };

/** Tracking of one or more qcow2 images, which must not be in use; all of them at one instant. */
export class ImageTracking {
  readonly #paths: readonly string[];
  readonly #known: OpenDiskOptions;
  readonly #scratchPlaces: readonly string[];

  /** At least one path, each image once. Nothing is opened yet. */
  constructor(paths: readonly string[], options: ImageOptions = {}) {
    names(paths, 'paths');
    checkOptions('ImageTracking', options, IMAGE);
    const seen = new Set(paths.map(fileOf));
    if (seen.size !== paths.length) throw invalidArgument('paths', paths.join(', '), 'every image once');
    this.#paths = paths;
    const { scratchPlaces = [], ...known } = options;
    this.#known = known;
    this.#scratchPlaces = scratchPlaces;
  }

  /** Start tracking, with a first point in time. All or nothing: refused on all when one refuses. */
  async enable(options: StartOptions = {}): Promise<TrackingOutcome> {
    checkOptions('enable', options, START);
    const pit = drawPit(options.pit);
    const { granularityBytes, signal } = options;
    const room = { keeps: all, adds: 1, granularityBytes };
    return this.#change({ room, takes: { pit, on: 'all' }, signal }, (target) =>
      enable(target, { ...options, pit, drawUuid: randomUUID }),
    );
  }

  /** Start anew in a new epoch, whatever the state; no older point answers afterwards. */
  async reset(options: StartOptions = {}): Promise<TrackingOutcome> {
    checkOptions('reset', options, START);
    const pit = drawPit(options.pit);
    const { granularityBytes, signal } = options;
    const room = { keeps: foreign, adds: 1, granularityBytes };
    return this.#change({ room, takes: { pit, on: 'all' }, signal }, (target) =>
      reset(target, { ...options, pit, drawUuid: randomUUID }),
    );
  }

  /** End tracking: every segment of ours is removed, bitmaps of others stay. */
  async disable(options: { signal?: AbortSignal | undefined } = {}): Promise<TrackingOutcome> {
    checkCall('disable', options);
    const room = { keeps: foreign, adds: 0 };
    return this.#change({ room, signal: options.signal }, (target) => disable(target, options));
  }

  /** Forget a point in time (PIT UUID, changeId, bitmap name or instant); all others answer as before. */
  async forget(
    point: string | Instant,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<TrackingOutcome> {
    checkCall('forget', options);
    const parsed = parsePoint('point', point);
    return this.#change({ room: ONE_MORE, signal: options.signal }, (target) =>
      forget(target, { ...options, point: parsed }),
    );
  }

  /**
   * Take a point in time, and say per image what a backup must copy. The data to copy is the image itself: nothing may
   * write to it before {@link commit} or {@link rollback}.
   */
  async begin(options: BeginOptions = {}): Promise<ImageSession> {
    checkOptions('begin', options, BEGIN);
    const pit = drawPit(options.pit);
    const base = options.base === undefined ? undefined : parsePoint('base', options.base);
    const uncommitted =
      base === undefined ? await uncommittedPoints(this.#paths, this.#scratchPlaces) : undefined;
    // Known before any is changed: copies of one disk are parted also where each is begun by itself.
    const together = await readHistories(this.#paths, options.signal);
    const begun = await this.#eachByItself(
      (one) =>
        one.#change({ room: ONE_MORE, takes: { pit, on: 'each' }, signal: options.signal }, (target) =>
          begin(target, { pit, base, together, uncommitted, drawUuid: randomUUID, signal: options.signal }),
        ),
      { refused: refusedDisk, takes: pit },
    );
    return { pit, disks: begun.disks, warnings: begun.warnings ?? [] };
  }

  /** End a session and keep its point in time; checks that every image still has it. */
  async commit(
    session: string,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<TrackingOutcome> {
    checkCall('commit', options);
    const pit = requireUuid('session', session);
    const disks = await Promise.all(
      this.#paths.map((path) => findKept(path, pit, { ...this.#known, ...options })),
    );
    return { pit, disks };
  }

  /** End a session as if it had never begun: its changes join those of the point before. */
  async rollback(
    session: string,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<TrackingOutcome> {
    checkCall('rollback', options);
    const pit = requireUuid('session', session);
    const { disks, warnings } = await this.#eachByItself<DiskOutcome>(
      (one) =>
        one.#change({ room: ONE_MORE, signal: options.signal }, (target) =>
          rollback(target, { ...options, pit }),
        ),
      { refused: (one) => one },
    );
    return { pit, disks, ...(warnings !== undefined && { warnings }) };
  }

  /** Take a point in time that nobody has a backup of off each image: rolled back where it is the newest, else forgotten. */
  async undo(pit: string, options: { signal?: AbortSignal | undefined } = {}): Promise<TrackingOutcome> {
    const { disks, warnings } = await this.#eachByItself<DiskOutcome>(
      (one) =>
        one.#change({ room: ONE_MORE, signal: options.signal }, (target) =>
          undo(target, { ...options, pit }),
        ),
      { refused: (one) => one },
    );
    return { pit, disks, ...(warnings !== undefined && { warnings }) };
  }

  /** All images at once; when that fails, one after the other, so that a bad one spoils nothing but itself. */
  async #eachByItself<D extends DiskOutcome>(
    work: (images: ImageTracking) => Promise<{ disks: D[]; warnings?: readonly string[] }>,
    /** `takes`: the point in time that the work takes; where it ends half-way, no image keeps it. */
    { refused, takes }: { refused: (one: DiskFailure) => D; takes?: string },
  ): Promise<{ disks: D[]; warnings?: readonly string[] }> {
    try {
      return await work(this);
    } catch (error) {
      if (this.#paths.length === 1 || !isOfOneImage(error) || tellsPointLeft(error)) throw error;
    }
    const disks: D[] = [];
    const warnings: string[] = [];
    for (const path of this.#paths) {
      try {
        const one = new ImageTracking([path], { ...this.#known, scratchPlaces: this.#scratchPlaces });
        const outcome = await work(one);
        disks.push(...outcome.disks);
        warnings.push(...(outcome.warnings ?? []));
      } catch (error) {
        if (isOfOneImage(error)) disks.push(refused({ disk: path, error: error.about(path) }));
        else if (takes === undefined) throw error;
        else throw await withoutPoint(error, takes, disks);
      }
    }
    return { disks, ...(warnings.length > 0 && { warnings }) };
  }

  /** `takes`: the point in time that the change takes; a failure leaves it on no image. */
  async #change<T extends { disks: DiskOutcome[]; warnings?: readonly string[] }>(
    {
      room,
      takes,
      signal,
    }: { room: BitmapChange; takes?: { pit: string; on: 'all' | 'each' }; signal: AbortSignal | undefined },
    work: (target: TrackingTarget) => Promise<T>,
  ): Promise<T> {
    await requireEachFileOnce('paths', this.#paths);
    await requireNoWaitingOverlay(this.#paths, this.#scratchPlaces);
    const known = { ...this.#known, signal };
    const free: string[] = [];
    const images: ImageToOpen[] = [];
    for (const [index, path] of this.#paths.entries()) {
      const pits = await requireQcow2(path, known);
      if (!pits.some((one) => one.pit === takes?.pit)) free.push(path);
      // A name that cannot be taken for leftovers of a live session; the path is what the caller sees.
      images.push({ path, nodeName: `image${index}`, node: await imageNode(path, known) });
    }
    await requireRoomForBitmaps(this.#paths, room, { signal });
    const undone = async (error: unknown, paths: readonly string[]): Promise<unknown> => {
      if (takes === undefined) return error;
      const left = await undoPoint(
        paths.filter((path) => free.includes(path)),
        takes.pit,
      );
      return withPointLeft(withoutPointLeft(error), takes.pit, left);
    };
    try {
      const { outcome, said } = await runQemu(images, signal, work);
      for (const [index, disk] of outcome.disks.entries()) {
        if (disk.error !== undefined) continue;
        try {
          await requireStored(disk, said, signal);
        } catch (error) {
          if (!(error instanceof CbtError) || takes?.on !== 'each' || signal?.aborted) throw error;
          const failed = await undone(error.about(disk.disk), [disk.disk]);
          if (!(failed instanceof CbtError)) throw failed;
          outcome.disks[index] = refusedDisk({ disk: disk.disk, error: failed });
        }
      }
      if (said !== '') outcome.warnings = [...(outcome.warnings ?? []), `QEMU said: ${said}`];
      return outcome;
    } catch (error) {
      throw await undone(error, this.#paths);
    }
  }
}

async function runQemu<T>(
  images: readonly ImageToOpen[],
  signal: AbortSignal | undefined,
  work: (target: TrackingTarget) => Promise<T>,
): Promise<{ outcome: T; said: string }> {
  let said = '';
  const onSaid = (words: string): void => {
    said = words;
  };
  const outcome = await withStorageDaemon({ images, signal, onSaid }, (client) => {
    const names = images.map((image) => image.nodeName);
    const label = (_: unknown, name: string | undefined): string =>
      images.find((image) => image.nodeName === name)?.path ?? String(name);
    return work(new QmpTrackingTarget({ client, names, label }));
  });
  return { outcome, said };
}

/** The failure of a change that had given some images the point already. */
async function withoutPoint(error: unknown, pit: string, done: readonly DiskOutcome[]): Promise<unknown> {
  const given = done.filter((one) => one.error === undefined || tellsPointLeft(one.error));
  const left = await undoPoint(
    given.map(({ disk }) => disk),
    pit,
  );
  return withPointLeft(error, pit, left);
}

const all = (): boolean => true;
const foreign = (name: string): boolean => parseSegmentName(name) === null;
/** Merged segments stand beside their sources for a moment. */
const ONE_MORE: BitmapChange = { keeps: all, adds: 1 };

/** Tells a file under another name (a link) too. */
function fileOf(path: string): string {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return resolve(path);
  }
}

/** What the caller did, or is our bug, no other image would make better; that one wants a word about its format is its own. */
function isOfOneImage(error: unknown): error is CbtError {
  const others = ['ERR_CBT_ABORTED', 'ERR_CBT_INTERNAL', 'ERR_CBT_INVALID_ARGUMENT'];
  return error instanceof CbtError && (isNotFollowed(error) || !others.includes(error.code));
}

function drawPit(given: string | undefined): string {
  return given === undefined ? randomUUID() : requireUuid('pit', given);
}

/** Says what is wrong with the file before QEMU is asked to open it for writing: missing, busy, another format. Its points. */
async function requireQcow2(path: string, options: OpenDiskOptions): Promise<readonly PitInfo[]> {
  await using disk = await openImageDisk(path, options);
  const call = { signal: options.signal };
  const { format, problem } = await disk.topLayer(call);
  if (format === 'qcow2' && problem?.reason !== 'FORMAT') return (await disk.pits(call)).pits;
  const why =
    format === 'qcow2' ? (problem?.message ?? 'it cannot hold bitmaps') : `this is a ${format} image`;
  throw new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `points in time can be kept in qcow2 images of version 3 only: ${why}`,
    {
      disk: path,
      reason: 'FORMAT',
    },
  );
}

async function findKept(path: string, pit: string, options: OpenDiskOptions): Promise<DiskOutcome> {
  try {
    await using disk = await openImageDisk(path, options);
    const { pits, epoch } = await disk.pits({ signal: options.signal });
    // Somebody may have taken another one since: this one answers all the same.
    const kept = pits.find((one) => one.pit === pit);
    if (kept !== undefined && epoch !== null) return { disk: path, epoch, changeId: kept.changeId };
    const message = `PIT ${pit} is not on this disk`;
    return {
      disk: path,
      error: new CbtError('ERR_CBT_UNKNOWN_PIT', message, { disk: path, reason: 'UNKNOWN_PIT' }),
    };
  } catch (error) {
    if (error instanceof CbtError && error.code !== 'ERR_CBT_ABORTED')
      return { disk: path, error: error.about(path) };
    throw error;
  }
}
