/** One image of a run: with its point in time where one could be taken, else only guarded against being written to. */
import type { ChangeMap, ChangeMapSelection } from '../core/changeMap.js';
import type { DiskData } from '../core/diskData.js';
import { trackingLost } from '../core/errors.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { BeginOutcome } from '../core/tracking.js';
import { openData } from '../host/data.js';
import { type OpenDiskOptions, openDisk } from '../host/open.js';
import { WriteWatch } from '../linux/writeWatch.js';
import { pointsOf } from './diskIdentity.js';
import type { ChainPoint, SourceDisk } from './source.js';

export interface Image {
  path: string;
  format: string;
  sizeBytes: number;
  /** Its history as it was found. */
  epoch: string | null;
  /** Why it can have no point in time; null where it can. */
  untracked: { reason: string | null; message: string } | null;
}

type Known = Pick<OpenDiskOptions, 'format' | 'trust'>;

export class ImageDisk implements SourceDisk {
  readonly disk: string;
  readonly sizeBytes: number;
  readonly epoch: string | null;
  readonly changeId: string | null;
  readonly lost: SourceDisk['lost'];
  readonly #image: Image;
  readonly #pit: string;
  /** How its format is known. */
  readonly #known: Known;
  /** Notices any write, where no point in time does. */
  readonly #watch: WriteWatch | null;
  readonly #opened: TrackedDisk[] = [];

  private constructor(
    image: Image,
    begun: BeginOutcome | undefined,
    pit: string,
    known: Known,
    watch: WriteWatch | null,
  ) {
    const { untracked } = image;
    this.disk = image.path;
    this.sizeBytes = begun?.sizeBytes ?? image.sizeBytes;
    this.epoch = watch === null ? (begun?.epoch ?? null) : untracked === null ? image.epoch : null;
    this.changeId = watch === null ? (begun?.changeId ?? null) : null;
    this.lost = untracked ?? lossOf(begun);
    this.#image = image;
    this.#pit = pit;
    this.#known = known;
    this.#watch = watch;
  }

  static async of(
    image: Image,
    begun: BeginOutcome | undefined,
    pit: string,
    { format, trust, onlyLook = false }: Known & { onlyLook?: boolean },
  ): Promise<ImageDisk> {
    const watch = image.untracked === null && !onlyLook ? null : await WriteWatch.begin(image.path);
    return new ImageDisk(image, begun, pit, { format, trust }, watch);
  }

  get hasPoint(): boolean {
    return this.#watch === null;
  }

  async points(signal: AbortSignal | undefined): Promise<readonly ChainPoint[]> {
    return this.#image.untracked === null ? pointsOf(await this.#open(signal), signal) : [];
  }

  async changes(from: string, selection: ChangeMapSelection): Promise<ChangeMap> {
    const to = this.hasPoint ? this.#pit : undefined;
    return (await this.#open(selection.signal)).changes({ ...selection, from, to });
  }

  async allocated(selection: ChangeMapSelection): Promise<ChangeMap> {
    return (await this.#open(selection.signal)).allocated(selection);
  }

  async openData(signal: AbortSignal | undefined): Promise<DiskData> {
    const target = { kind: 'qemu-nbd', file: this.#image.path, ...this.#known } as const;
    return openData(target, signal === undefined ? {} : { signal });
  }

  /** Throws unless nothing was written since the point in time, and nobody is writing now. */
  async requireUntouched(): Promise<void> {
    const { path } = this.#image;
    if (this.#watch !== null) return this.#watch.requireUnwritten();
    await using disk = await openDisk(path, this.#known);
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
    await this.#watch?.close();
  }

  async #open(signal: AbortSignal | undefined): Promise<TrackedDisk> {
    const disk = await openDisk(this.disk, { ...this.#known, signal });
    this.#opened.push(disk);
    return disk;
  }
}

function lossOf(begun: BeginOutcome | undefined): SourceDisk['lost'] {
  if (begun?.verdict !== 'full') return null;
  const { reason = null, message = 'its earlier points in time cannot be used' } = begun;
  return { reason, message };
}
