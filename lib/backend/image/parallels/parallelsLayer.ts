/**
 * One expandable image as a layer of a disk: its allocation, its bitmaps, and whether the bitmaps may be believed. The
 * header's in_use field is the belief: only software that knows the Format Extension leaves "v2.1" behind at its close.
 *
 *   in_use    0x312e3276 "v2.1"   closed by software that keeps bitmaps up        they hold
 *             0                   closed by software that does not know them      they missed its writes
 *             0x746f6e59          open for writing, or never closed               what was in memory is lost
 */
import type { BitmapKernel, BitmapSegment } from '../../../core/bitmapKernel.js';
import type { BitmapInfo, LayerState } from '../../../core/diskSource.js';
import { CbtError, type CbtReason, trackingLost } from '../../../core/errors.js';
import type { RangePager } from '../../../core/rangePage.js';
import { describeFault, type Fault, faultError, hex } from '../faults.js';
import type { FileSnapshot } from '../imageFile.js';
import type { ImageLayer, LayerAllocation } from '../layer.js';
import type { WriterGuard } from '../writerGuard.js';
import { BlockAllocationTable } from './blockAllocation.js';
import { type DirtyBitmap, parseDirtyBitmaps } from './dirtyBitmap.js';
import { readFormatExtension } from './formatExtension.js';
import {
  HEADER_BYTES,
  IN_USE_CLOSED,
  IN_USE_CLOSED_BY_OLDER,
  IN_USE_OPEN,
  type ParallelsHeader,
  parseHeader,
  SECTOR_BYTES,
} from './header.js';

interface Problem {
  reason: CbtReason;
  message: string;
  fault?: Fault;
}

/** Reads header and extension. Throws where the header breaks its rules; what only costs the bitmaps is in the state. */
export async function readParallelsLayer(
  snapshot: FileSnapshot,
  guard: WriterGuard,
  kernel: BitmapKernel,
  signal?: AbortSignal,
): Promise<ParallelsLayer> {
  const { path } = snapshot.file;
  const bytes = await snapshot.read(0, HEADER_BYTES, 'header', signal);
  guard.mark(snapshot, 0, bytes);
  const header = parseHeader(path, bytes, snapshot.sizeBytes);
  const stale = findStaleness(path, header);
  if (header.extOffSectors === 0n) return new ParallelsLayer(snapshot, kernel, header, [], stale);

  const extension = await readFormatExtension(snapshot, header, signal);
  const bitmaps =
    'seal' in extension ? parseDirtyBitmaps(extension.bitmaps, header, snapshot.sizeBytes) : extension;
  if ('seal' in extension) guard.mark(snapshot, Number(header.extOffSectors) * SECTOR_BYTES, extension.seal);
  if (Array.isArray(bitmaps)) return new ParallelsLayer(snapshot, kernel, header, bitmaps, stale);
  const damaged: Problem = { reason: 'FORMAT', message: describeFault(path, bitmaps), fault: bitmaps };
  return new ParallelsLayer(snapshot, kernel, header, [], stale ?? damaged);
}

/** Why what the image says about bitmaps is not the whole truth; undefined when it is. */
function findStaleness(path: string, { inUse, extOffSectors }: ParallelsHeader): Problem | undefined {
  const found = `${path}: in_use is ${hex(inUse)}, must be ${hex(IN_USE_CLOSED)}`;
  switch (inUse) {
    case IN_USE_CLOSED:
      return undefined;
    case IN_USE_CLOSED_BY_OLDER:
      // Without an extension there was nothing that such software could have spoilt.
      if (extOffSectors === 0n) return undefined;
      return {
        reason: 'MISSING',
        message: `${found}: the image was last closed by software that does not keep bitmaps up, so its writes are missing from them`,
      };
    case IN_USE_OPEN:
      return {
        reason: 'CRASHED',
        message: `${found}: the image was not closed by the software that had it open for writing (or is in use in a way that takes no lock, as a ploop mount is)`,
      };
    default:
      return { reason: 'FORMAT', message: `${found}, ${IN_USE_CLOSED_BY_OLDER} or ${hex(IN_USE_OPEN)}` };
  }
}

export class ParallelsLayer implements ImageLayer {
  readonly state: LayerState;
  readonly #bat: BlockAllocationTable;

  constructor(
    private readonly snapshot: FileSnapshot,
    private readonly kernel: BitmapKernel,
    readonly header: ParallelsHeader,
    private readonly stored: readonly DirtyBitmap[],
    private readonly problem: Problem | undefined,
  ) {
    this.#bat = new BlockAllocationTable(snapshot, header);
    this.state = {
      label: snapshot.file.path,
      sizeBytes: header.sizeBytes,
      format: 'parallels',
      bitmaps: stored.map((bitmap) => this.#describe(bitmap)),
      ...(problem === undefined ? {} : { problem: { reason: problem.reason, message: problem.message } }),
    };
  }

  async bitmaps(
    names: readonly string[],
    granularityBytes: number,
    signal?: AbortSignal,
  ): Promise<RangePager> {
    if (this.problem !== undefined) throw this.#refusal(this.problem);
    const wanted = [...new Set(names)].map((name) => this.#require(name));
    const clusters = new Set(wanted.flatMap(({ table }) => [...table.filter((entry) => entry > 1)]));
    const claim = await this.#bat.findClaim(clusters, signal);
    if (claim !== undefined) throw faultError(this.snapshot.file.path, claim, 'FORMAT');
    const segments = wanted.map((bitmap) => this.#segment(bitmap));
    const { kernel } = this;
    return {
      page: (window) => kernel.scanBitmaps(segments, granularityBytes, window),
      count: (window) => kernel.countBitmaps(segments, granularityBytes, window),
    };
  }

  /** The format has no explicit zeros: what hides the layers below is what holds data. */
  async allocation(): Promise<LayerAllocation> {
    return { data: this.#bat, allocated: this.#bat };
  }

  /**
   * The format has no flag for it, but a stored bitmap always records: its software loads it when it opens the image and
   * stores it when it closes the image, or freezes it under an overlay, where it had recorded until then.
   */
  #describe(bitmap: DirtyBitmap): BitmapInfo {
    const { name, granularityBytes, fault } = bitmap;
    const inconsistent = this.header.inUse === IN_USE_OPEN;
    const info = { name, granularityBytes, recording: true, inconsistent, persistent: true, busy: false };
    if (fault === undefined) return info;
    return {
      ...info,
      problem: { reason: reasonOf(fault), message: describeFault(this.#where(bitmap), fault) },
    };
  }

  #require(name: string): DirtyBitmap {
    const bitmap = this.stored.find((one) => one.name === name);
    if (bitmap === undefined) {
      const what = `no bitmap ${JSON.stringify(name)} in ${this.snapshot.file.path}; take a full backup of this disk`;
      throw new CbtError('ERR_CBT_UNKNOWN_PIT', what, { reason: 'UNKNOWN_PIT' });
    }
    const { fault } = bitmap;
    if (fault === undefined) return bitmap;
    throw this.#refusal({
      reason: reasonOf(fault),
      message: describeFault(this.#where(bitmap), fault),
      fault,
    });
  }

  #refusal({ reason, message, fault }: Problem): CbtError {
    if (fault === undefined) return trackingLost(reason, message);
    const { kind, field, value, limit } = fault;
    const details = { field, value, limit };
    if (kind === 'unsupported') return trackingLost(reason, message, { details });
    return new CbtError('ERR_CBT_CORRUPT_IMAGE', message, { reason, details });
  }

  #segment({ granularityBytes, table }: DirtyBitmap): BitmapSegment {
    const { fd } = this.snapshot.file;
    return { granularityBytes, bits: { kind: 'stored', fd, clusterBytes: this.header.clusterBytes, table } };
  }

  #where({ name }: DirtyBitmap): string {
    return `${this.snapshot.file.path}, bitmap ${name}`;
  }
}

function reasonOf(fault: Fault): CbtReason {
  return fault.reason ?? 'FORMAT';
}
