/** One image of a run: with its point in time where one could be taken, else only guarded against being written to. */
import { stat } from 'node:fs/promises';
import type { ChangeMap, ChangeMapSelection } from '../core/changeMap.js';
import type { DiskData } from '../core/diskData.js';
import { CbtError, trackingLost } from '../core/errors.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { BeginOutcome } from '../core/tracking.js';
import { openData } from '../data.js';
import { type OpenDiskOptions, openDisk } from '../open.js';
import { pointsOf } from './diskIdentity.js';
import type { ChainPoint, SourceDisk } from './source.js';

export interface Image {
  path: string;
  format: string;
  sizeBytes: number;
  /** Why no point in time is taken on it; null where one is. */
  untracked: { reason: string | null; message: string } | null;
}

export class ImageDisk implements SourceDisk {
  readonly disk: string;
  readonly sizeBytes: number;
  readonly epoch: string | null;
  readonly changeId: string | null;
  readonly lost: SourceDisk['lost'];
  readonly #image: Image;
  readonly #pit: string;
  readonly #format: OpenDiskOptions['format'];
  /** Tells any write, where no point in time does. */
  readonly #stamp: string | null;
  readonly #opened: TrackedDisk[] = [];

  private constructor(
    image: Image,
    begun: BeginOutcome | undefined,
    pit: string,
    format: OpenDiskOptions['format'],
    stamp: string | null,
  ) {
    const { untracked } = image;
    this.disk = image.path;
    this.sizeBytes = begun?.sizeBytes ?? image.sizeBytes;
    this.epoch = stamp === null ? (begun?.epoch ?? null) : null;
    this.changeId = stamp === null ? (begun?.changeId ?? null) : null;
    this.lost = untracked ?? lossOf(begun);
    this.#image = image;
    this.#pit = pit;
    this.#format = format;
    this.#stamp = stamp;
  }

  static async of(
    image: Image,
    begun: BeginOutcome | undefined,
    pit: string,
    { format }: { format?: OpenDiskOptions['format'] },
  ): Promise<ImageDisk> {
    const stamp = image.untracked === null ? null : await stampOf(image.path);
    return new ImageDisk(image, begun, pit, format, stamp);
  }

  get hasPoint(): boolean {
    return this.#stamp === null;
  }

  async points(signal: AbortSignal | undefined): Promise<readonly ChainPoint[]> {
    return this.hasPoint ? pointsOf(await this.#open(signal), signal) : [];
  }

  async changes(from: string, selection: ChangeMapSelection): Promise<ChangeMap> {
    return (await this.#open(selection.signal)).changes({ ...selection, from, to: this.#pit });
  }

  async allocated(selection: ChangeMapSelection): Promise<ChangeMap> {
    return (await this.#open(selection.signal)).allocated(selection);
  }

  async openData(signal: AbortSignal | undefined): Promise<DiskData> {
    const { path: file, format } = this.#image;
    return openData({ kind: 'qemu-nbd', file, format }, signal === undefined ? {} : { signal });
  }

  /** Throws unless nothing was written since the point in time, and nobody is writing now. */
  async requireUntouched(): Promise<void> {
    const { path } = this.#image;
    if (this.#stamp !== null) {
      if ((await stampOf(path)) === this.#stamp) return;
      throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path} was written to while it was read`, {
        disk: path,
        reason: 'BUSY',
      });
    }
    await using disk = await openDisk(path, { format: this.#format });
    const newest = (await disk.pits()).pits.at(-1);
    const ours = newest?.uuid === this.#pit;
    const written = ours ? await (await disk.changes({ from: this.#pit })).changedBytes() : Number.NaN;
    if (written === 0) return;
    throw trackingLost(
      'BUSY',
      ours
        ? `${path} was written to while it was read (${written} bytes)`
        : `${path} has another newest point in time than the one this backup took`,
      { disk: path },
    );
  }

  async close(): Promise<void> {
    for (const disk of this.#opened.splice(0)) await disk.close();
  }

  async #open(signal: AbortSignal | undefined): Promise<TrackedDisk> {
    const disk = await openDisk(this.disk, { format: this.#format, signal });
    this.#opened.push(disk);
    return disk;
  }
}

function lossOf(begun: BeginOutcome | undefined): SourceDisk['lost'] {
  if (begun?.verdict !== 'full') return null;
  const { reason = null, message = 'its earlier points in time cannot be used' } = begun;
  return { reason, message };
}

/** Tells any write by its size and times. */
async function stampOf(path: string): Promise<string> {
  const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
  return [size, mtimeNs, ctimeNs, ino].join(' ');
}
