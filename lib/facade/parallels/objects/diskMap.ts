/** A map of a disk: one bit for each granule, taken whole when it is made and never changed after. */
import type { CallOptions } from '../../../core/callOptions.js';
import { PHT_VIRTUAL_DISK_MAP } from '../constants/handleTypes.js';
import { PRL_ERR_OUT_OF_MEMORY } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { closeInTime } from '../inTime.js';
import type { PrlObject } from '../runtime.js';

/** Counts of the SDK are 32 bits wide. */
const MAX_BITS = 2 ** 32 - 1;

/** A stretch of set bits, as bytes. */
export interface ChangedArea {
  /** Bytes from the start of the disk. */
  offset: number;
  /** Bytes. */
  length: number;
}

/**
 * A map as the `PrlDiskMap_` calls know it: bits, least significant first. Granules from 0.
 * @example
 * ```ts
 * await using opened = await openPrlDisk('/vm/disk.qcow2');
 * const map = await opened.getChangesMap();
 * for (const { offset, length } of map) console.log(offset, length);
 * ```
 */
export class DiskMap implements PrlObject {
  /** The `PHT_…` of its handles. */
  readonly handleType = PHT_VIRTUAL_DISK_MAP;
  readonly #bits: Uint8Array;

  /**
   * `bits`: least significant first, as many bytes as the bits need.
   * @param bits A bit for each granule, the first one lowest.
   * @param granularityBytes Bytes of a granule.
   * @param sizeBytes Size of the disk.
   * @returns The map; the bits are not copied.
   */
  constructor(
    bits: Uint8Array,
    /** Bytes of the disk behind one bit. */
    readonly granularityBytes: number,
    /** Size of the disk that the map covers. */
    readonly sizeBytes: number,
  ) {
    this.#bits = bits;
  }

  /**
   * Refuses a disk of more granules than a map can count.
   * @param sizeBytes Size of a disk.
   * @param granularityBytes Bytes of a granule.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: PRL_ERR_OUT_OF_MEMORY for more granules than 32 bits count (P10).
   */
  static requireCountable(sizeBytes: number, granularityBytes: number): void {
    const bits = Math.ceil(sizeBytes / granularityBytes);
    if (bits <= MAX_BITS) return;
    throw new PrlError(
      PRL_ERR_OUT_OF_MEMORY,
      `a disk of ${sizeBytes} bytes has ${bits} granules of ${granularityBytes} bytes, and a map counts ${MAX_BITS} at most`,
    );
  }

  /** Number of significant bits: granules of the disk, the last one as short as the disk is. */
  get sizeBits(): number {
    return Math.ceil(this.sizeBytes / this.granularityBytes);
  }

  /** Bytes that {@link copyTo} needs. */
  get byteLength(): number {
    return this.#bits.length;
  }

  /**
   * The whole map: bit n is in byte n >> 3, mask 1 << (n & 7).
   * @returns All bits, a copy.
   */
  read(): Uint8Array {
    return this.#bits.slice();
  }

  /** @internal A copy of some of its bytes; fewer where it ends first. */
  piece(from: number, length: number): Uint8Array {
    return this.#bits.slice(from, from + length);
  }

  /**
   * The whole map into the caller's memory, of `byteLength` bytes at least.
   * @param target Takes the bits; at least `byteLength` long.
   * @throws `RangeError` where it is shorter.
   */
  copyTo(target: Uint8Array): void {
    target.set(this.#bits);
  }

  /**
   * Whether the granule changed; false past the last one.
   * @param granule From 0, below `sizeBits`.
   * @returns Whether it changed.
   */
  has(granule: number): boolean {
    return ((this.#bits[granule >>> 3] ?? 0) & (1 << (granule & 7))) !== 0;
  }

  /** The set granules as areas, neighbours joined, the last one cut at the end of the disk. */
  *[Symbol.iterator](): Generator<ChangedArea, void, undefined> {
    const { sizeBits, granularityBytes, sizeBytes } = this;
    let first = -1;
    for (let n = 0; n <= sizeBits; n += 1) {
      // Empty stretches are most of a disk: eight granules at a time.
      if (first < 0 && (n & 7) === 0 && this.#bits[n >>> 3] === 0) {
        n += 7;
        continue;
      }
      const set = n < sizeBits && this.has(n);
      if (set && first < 0) first = n;
      if (set || first < 0) continue;
      const offset = first * granularityBytes;
      yield { offset, length: Math.min(n * granularityBytes, sizeBytes) - offset };
      first = -1;
    }
  }

  /**
   * A map holds nothing that could be closed.
   * @param options Signal and deadline.
   * @returns At once: a map holds nothing.
   */
  async close(options?: CallOptions): Promise<void> {
    // Its memory goes with it; nothing is held elsewhere.
    await closeInTime('close', options, async () => undefined);
  }
}
