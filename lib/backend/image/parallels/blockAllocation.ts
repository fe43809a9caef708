/**
 * The block allocation table (BAT): which clusters of the disk an image holds. An entry of 0 is unallocated, any other
 * is data; the format has no explicit zeros. The table is streamed, since it may be as long as the format allows.
 *
 * The header's "empty image" flag is not believed against the table: an entry counts as data whatever the flag says.
 */
import { checkWindow, type RangePage, type RangePager, type Window } from '../../../core/rangePage.js';
import { corrupt, type Fault, faultError } from '../faults.js';
import type { FileSnapshot } from '../imageFile.js';
import { BAT_ENTRY_BYTES, HEADER_BYTES, type ParallelsHeader, SECTOR_BYTES } from './header.js';

/** Entries read at a time: 256 KiB. */
const CHUNK_ENTRIES = 65_536;
const UNALLOCATED = Buffer.alloc(CHUNK_ENTRIES * BAT_ENTRY_BYTES);

interface Chunk {
  /** Index of the first entry. */
  first: number;
  /** A single entry of 0 may stand for a chunk of nothing else: a table that is mostly holes costs its reading alone. */
  entries: DataView;
}

export class BlockAllocationTable implements RangePager {
  constructor(
    private readonly snapshot: FileSnapshot,
    private readonly header: ParallelsHeader,
  ) {}

  /** Allocated clusters in the window, clipped to the disk. O(clusters of the window). */
  async page(window: Window): Promise<RangePage> {
    checkWindow(window);
    const { startBytes, endBytes, maxRanges } = window;
    const { clusterBytes, sizeBytes } = this.header;
    const stopBytes = Math.min(endBytes, sizeBytes);
    const pairs: number[] = [];
    let runStart = -1;
    const chunks = this.chunks(
      Math.floor(startBytes / clusterBytes),
      Math.ceil(stopBytes / clusterBytes),
      window.signal,
    );
    for await (const { first, entries } of chunks) {
      for (let i = 0; i < entries.byteLength; i += BAT_ENTRY_BYTES) {
        const entry = entries.getUint32(i, true);
        const cluster = first + i / BAT_ENTRY_BYTES;
        if (entry !== 0) this.checkEntry(cluster, entry);
        const inRun = runStart >= 0;
        if (inRun === (entry !== 0)) continue;
        const at = Math.max(startBytes, cluster * clusterBytes);
        if (entry === 0) {
          pairs.push(runStart, at - runStart);
          runStart = -1;
        } else if (pairs.length / 2 >= maxRanges) {
          return { ranges: Float64Array.from(pairs), startBytes, nextBytes: at };
        } else {
          runStart = at;
        }
      }
    }
    if (runStart >= 0) pairs.push(runStart, stopBytes - runStart);
    return { ranges: Float64Array.from(pairs), startBytes, nextBytes: endBytes };
  }

  /**
   * The first data cluster that lies on one of these (byte offsets of bitmap clusters): guest data would be read as bits.
   * O(entries).
   */
  async findClaim(bitmapClusters: ReadonlySet<number>, signal?: AbortSignal): Promise<Fault | undefined> {
    if (bitmapClusters.size === 0) return undefined;
    const { batEntries, batUnitSectors, clusterBytes, dataOffSectors } = this.header;
    const dataOff = dataOffSectors * SECTOR_BYTES;
    for await (const { first, entries } of this.chunks(0, batEntries, signal)) {
      for (let i = 0; i < entries.byteLength; i += BAT_ENTRY_BYTES) {
        const entry = entries.getUint32(i, true);
        if (entry === 0) continue;
        // Bitmap clusters are aligned to data_off; where entries count sectors, a data cluster may reach into two.
        const offset = entry * batUnitSectors * SECTOR_BYTES;
        const skew = (offset - dataOff) % clusterBytes;
        const aligned = offset - skew;
        if (bitmapClusters.has(aligned) || (skew !== 0 && bitmapClusters.has(aligned + clusterBytes))) {
          return corrupt(
            `BAT entry ${first + i / BAT_ENTRY_BYTES}`,
            entry,
            'a cluster clear of every bitmap',
          );
        }
      }
    }
    return undefined;
  }

  /** The entries [first, end); the header's check keeps the disk's size within them. */
  private async *chunks(first: number, end: number, signal?: AbortSignal): AsyncGenerator<Chunk> {
    for (let index = first; index < end; index += CHUNK_ENTRIES) {
      const count = Math.min(CHUNK_ENTRIES, end - index);
      const offsetBytes = HEADER_BYTES + index * BAT_ENTRY_BYTES;
      const bytes = await this.snapshot.read(offsetBytes, count * BAT_ENTRY_BYTES, 'BAT', signal);
      const empty = bytes.equals(UNALLOCATED.subarray(0, bytes.length));
      const length = empty ? BAT_ENTRY_BYTES : bytes.length;
      yield { first: index, entries: new DataView(bytes.buffer, bytes.byteOffset, length) };
    }
  }

  /** A cluster outside the data area is not data, and what was meant is not known. */
  private checkEntry(index: number, entry: number): void {
    const sector = entry * this.header.batUnitSectors;
    const fileBytes = this.snapshot.sizeBytes;
    if (sector >= this.header.dataOffSectors && sector * SECTOR_BYTES < fileBytes) return;
    const unit = this.header.batUnitSectors;
    const least = Math.ceil(this.header.dataOffSectors / unit);
    const most = Math.ceil(fileBytes / SECTOR_BYTES / unit) - 1;
    const limit = `0, or ${least} to ${most}, between data_off and the end of the file (${fileBytes} bytes)`;
    throw faultError(this.snapshot.file.path, corrupt(`BAT entry ${index}`, entry, limit));
  }
}
