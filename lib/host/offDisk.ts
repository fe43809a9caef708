/** One disk of a VM that is off: an image under the name that the disk has, as it is now or as it was at a session's instant. */
import type { BitmapKernel } from '../core/bitmapKernel.js';
import type { BitmapReader, BitmapRef, DiskSource, DiskState } from '../core/diskSource.js';
import { CbtError, retold, trackingLost } from '../core/errors.js';
import { fitsSegment } from '../core/point.js';
import type { Instant } from '../core/pointInTime.js';
import type { RangePager } from '../core/rangePage.js';
import { parseSegmentName } from '../core/segmentName.js';
import { TrackedDisk } from '../core/trackedDisk.js';
import { loadKernel } from '../kernel/load.js';
import type { OpenDiskOptions } from './openFile.js';

/** A disk, where its image is, and how its format is known. */
export interface OffDisk {
  readonly disk: string;
  readonly path: string;
  readonly known: Pick<OpenDiskOptions, 'format' | 'trust' | 'kernel'>;
  /** Why nothing can be asked of it. */
  readonly refusal?: CbtError;
}

/** What a session shows of a disk, and the look whether it still does. */
export interface OffInstant {
  readonly instant: Instant;
  check(): Promise<void>;
}

/** Opens the image for questions, as it is now or at the instant. */
export async function openOffDisk(
  off: OffDisk,
  signal?: AbortSignal,
  instant: OffInstant | null = null,
): Promise<TrackedDisk> {
  const { disk, path, known, refusal } = off;
  if (refusal !== undefined) throw refusal;
  const { format, trust } = known;
  const kernel = await loadKernel({ kernel: known.kernel ?? 'auto' });
  const source = await openOffSource(off, kernel, signal, instant);
  return new TrackedDisk(source, kernel, instant?.instant.pit ?? null).openDataBy((asked) =>
    callingIt(disk, path, async () => {
      const { openData } = await import('./data.js');
      return openData({ kind: 'qemu-nbd', file: path, format, trust, readOnly: true }, asked);
    }),
  );
}

/** What is asked: the image, under the disk's name. */
export async function openOffSource(
  { disk, path, known: { format, trust } }: OffDisk,
  kernel: BitmapKernel,
  signal?: AbortSignal,
  instant: OffInstant | null = null,
): Promise<DiskSource> {
  const { openImage } = await import('../backend/image/imageSource.js');
  const source = await callingIt(disk, path, () => openImage(path, { kernel, format, trust, signal }));
  return disk === path && instant === null ? source : new OffSource(disk, path, source, instant);
}

/** Where nobody names disks, those that can be tracked are meant; one that is named says why it cannot. */
export function trackable(
  disks: readonly OffDisk[],
  named: readonly string[] | undefined,
): readonly OffDisk[] {
  if (named === undefined)
    return disks.filter(({ refusal, known }) => refusal === undefined && known.format !== 'raw');
  for (const { refusal } of disks) if (refusal !== undefined) throw refusal;
  return disks;
}

/** Runs it; an error about the image is one about the disk. */
export async function callingIt<T>(disk: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof CbtError ? calledBy(disk, path, error) : error;
  }
}

/** The error as one about the disk, where it is about its image or does not say. */
export function calledBy(disk: string, path: string, error: CbtError): CbtError {
  if (disk === path || error.disk !== path) return error.about(disk);
  return retold(error, { disk });
}

class OffSource implements DiskSource {
  readonly onOneReading?: NonNullable<DiskSource['onOneReading']>;

  constructor(
    readonly disk: string,
    private readonly path: string,
    private readonly image: DiskSource,
    private readonly instant: OffInstant | null,
  ) {
    const { onOneReading } = image;
    if (onOneReading !== undefined)
      this.onOneReading = <T>(work: (read: BitmapReader) => Promise<T>, signal?: AbortSignal) =>
        this.#called(() => onOneReading.call(image, work, signal) as Promise<T>);
  }

  async state(signal?: AbortSignal): Promise<DiskState> {
    const state = await this.#called(() => this.image.state(signal));
    if (this.instant !== null) requireDiskOf(this.disk, state, this.instant.instant);
    return { ...state, disk: this.disk };
  }

  async bitmapRanges(
    bitmaps: readonly BitmapRef[],
    granularityBytes: number,
    signal?: AbortSignal,
  ): Promise<RangePager> {
    return this.#called(() => this.image.bitmapRanges(bitmaps, granularityBytes, signal));
  }

  /** Watched by the image's own reader from here to the last page: what is found unwritten now is so for all of it. */
  async allocatedRanges(layers?: number, signal?: AbortSignal): Promise<RangePager> {
    const pager = await this.#called(() => this.image.allocatedRanges(layers, signal));
    await this.instant?.check();
    return pager;
  }

  async close(): Promise<void> {
    await this.image.close();
  }

  #called<T>(work: () => Promise<T>): Promise<T> {
    return callingIt(this.disk, this.path, work);
  }
}

/** Every disk of a session has its PIT; another image that has this one's name by now is told by its history. */
function requireDiskOf(disk: string, { layers }: DiskState, instant: Instant): void {
  const point = { kind: 'instant', ...instant } as const;
  const there = layers.some(({ bitmaps }) =>
    bitmaps.some(({ name }) => {
      const segment = parseSegmentName(name);
      return segment !== null && fitsSegment(point, segment, name);
    }),
  );
  if (there) return;
  const what = `${disk} has no point in time ${instant.pit} of epoch ${instant.epoch}: it was rolled back, or this is another disk by now`;
  throw trackingLost('UNKNOWN_PIT', what, { disk });
}
