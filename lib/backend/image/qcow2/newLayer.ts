/**
 * Makes a qcow2 file from the guest's first byte to its last. What is known ahead comes in front, what is known at the end
 * comes last, and everything in between is only ever appended:
 *
 *   | header | L1 … | data data | L2 | data | L2 | … | refcount blocks | refcount table |
 *
 * No cluster is written twice, an L2 table is written as soon as the disk's next 512 MiB begin, and the header, which makes
 * an image of it, after everything else (docs/interop/qcow2.txt). Memory: one L2 table and the L1 table.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { invalidArgument } from '../../../core/errors.js';
import { finishFile, writeAt } from './finishFile.js';
import { l2CoverageBytes, MAX_L1_BYTES } from './header.js';

/** The only reference there is (bit 63), in the upper half of an entry. */
const COPIED = 0x8000_0000;
const READS_AS_ZEROS = 1;

export interface NewLayerOptions {
  /** A power of two from 512 to 2 MiB. */
  clusterBytes: number;
  /** Bytes of the disk, a multiple of 512. */
  sizeBytes: number;
  /** Name of the qcow2 file below, as it is to stand in the header; null for none. */
  backing: string | null;
}

export class NewLayer {
  readonly #file: FileHandle;
  readonly #options: NewLayerOptions;
  readonly #clusterBytes: number;
  /** Disk bytes that one L2 table maps. */
  readonly #tableCovers: number;
  readonly #l1: Buffer;
  /** The L2 table that is being filled, and which one it is; none before the first cluster. */
  #table: Buffer | null = null;
  #tableIndex = -1;
  /** Clusters of the file that are taken. */
  #clusters: number;
  /** Where the last call ended on the disk. */
  #end = 0;

  private constructor(file: FileHandle, options: NewLayerOptions) {
    this.#file = file;
    this.#options = options;
    this.#clusterBytes = options.clusterBytes;
    this.#tableCovers = l2CoverageBytes(options.clusterBytes, false);
    this.#l1 = Buffer.alloc(8 * Math.max(1, Math.ceil(options.sizeBytes / this.#tableCovers)));
    this.#clusters = 1 + Math.ceil(this.#l1.length / this.#clusterBytes);
  }

  /** Starts a file that must not exist yet; system errors come as they are. */
  static async create(path: string, options: NewLayerOptions): Promise<NewLayer> {
    const { clusterBytes, sizeBytes } = options;
    if (!Number.isInteger(Math.log2(clusterBytes)) || clusterBytes < 512 || clusterBytes > 2 << 20)
      throw invalidArgument('clusterBytes', clusterBytes, 'a power of two from 512 to 2 MiB');
    const most = Math.min(
      (MAX_L1_BYTES / 8) * l2CoverageBytes(clusterBytes, false),
      Number.MAX_SAFE_INTEGER - clusterBytes,
    );
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes % 512 !== 0 || sizeBytes > most)
      throw invalidArgument('sizeBytes', sizeBytes, `a multiple of 512, at most ${most}`);
    return new NewLayer(await open(path, 'wx', 0o640), options);
  }

  /**
   * Whole clusters of data, behind those of the call before, at most as many as one L2 table maps; only the disk's last
   * cluster may be short. Where they go is settled when the call returns, so many may be in flight; the memory is the file's
   * until the promise settles.
   */
  async write(offset: number, data: Uint8Array): Promise<void> {
    const writes: Promise<void>[] = [];
    for (const { at, length } of this.#byTable(offset, data.length, writes)) {
      const host = this.#take(Math.ceil(length / this.#clusterBytes));
      this.#map(at, length, host);
      writes.push(writeAt(this.#file, data.subarray(at - offset, at - offset + length), host));
    }
    await allOf(writes);
  }

  /** Clusters that read as zeros whatever is below; the rules are those of `write`. */
  async zero(offset: number, length: number): Promise<void> {
    const writes: Promise<void>[] = [];
    for (const stretch of this.#byTable(offset, length, writes)) this.#map(stretch.at, stretch.length, null);
    await allOf(writes);
  }

  /** Everything that was not written yet, the header last. Every other call must have ended; nothing is synced. */
  async finish(): Promise<void> {
    const writes: Promise<void>[] = [];
    this.#endTable(writes);
    await allOf(writes);
    await writeAt(this.#file, this.#l1, this.#clusterBytes);
    await finishFile(this.#file, this.#clusters, { ...this.#options, l1Entries: this.#l1.length / 8 });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** The stretches of a range that lie in one L2 table each, with that table in place; full ones begin to be written. */
  *#byTable(
    offset: number,
    length: number,
    writes: Promise<void>[],
  ): Generator<{ at: number; length: number }> {
    const cluster = this.#clusterBytes;
    const { sizeBytes } = this.#options;
    const end = offset + length;
    if (offset % cluster !== 0 || offset < this.#end)
      throw invalidArgument('offset', offset, `a multiple of ${cluster}, at least ${this.#end}`);
    // More would keep more than two tables in memory.
    const most = Math.min(this.#tableCovers, sizeBytes - offset);
    if (!(length > 0 && length <= most) || (length % cluster !== 0 && end !== sizeBytes))
      throw invalidArgument('length', length, `whole clusters of ${cluster} bytes, at most ${most} here`);
    this.#end = Math.ceil(end / cluster) * cluster;
    for (let at = offset; at < end; ) {
      const index = Math.floor(at / this.#tableCovers);
      if (index !== this.#tableIndex) {
        this.#endTable(writes);
        this.#table = Buffer.alloc(this.#clusterBytes);
        this.#tableIndex = index;
      }
      const until = Math.min(end, (index + 1) * this.#tableCovers);
      yield { at, length: until - at };
      at = until;
    }
  }

  #endTable(writes: Promise<void>[]): void {
    if (this.#table === null) return;
    const host = this.#take(1);
    setEntry(this.#l1, this.#tableIndex, host);
    writes.push(writeAt(this.#file, this.#table, host));
    this.#table = null;
  }

  /** Enters clusters of one table: at `host` and behind it, or (null) as zeros. */
  #map(at: number, length: number, host: number | null): void {
    if (this.#table === null) return;
    const first = (at % this.#tableCovers) / this.#clusterBytes;
    const count = Math.ceil(length / this.#clusterBytes);
    for (let i = 0; i < count; i += 1) {
      if (host === null) this.#table.writeUInt32BE(READS_AS_ZEROS, 8 * (first + i) + 4);
      else setEntry(this.#table, first + i, host + i * this.#clusterBytes);
    }
  }

  /** Offset of so many fresh clusters in a row. */
  #take(count: number): number {
    const host = this.#clusters * this.#clusterBytes;
    this.#clusters += count;
    return host;
  }
}

function setEntry(table: Buffer, index: number, host: number): void {
  table.writeUInt32BE((COPIED | Math.floor(host / 2 ** 32)) >>> 0, 8 * index);
  table.writeUInt32BE(host % 2 ** 32, 8 * index + 4);
}

/** Waits for every one of them, so that no memory is in use any more when the first failure is told. */
async function allOf(writes: readonly Promise<void>[]): Promise<void> {
  if (writes.length === 1) return writes[0];
  for (const end of await Promise.allSettled(writes)) if (end.status === 'rejected') throw end.reason;
}
