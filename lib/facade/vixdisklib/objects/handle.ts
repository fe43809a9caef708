/**
 * An open disk: reads and writes in bytes below the calls that count sectors. What is read from a snapshot counts only once its
 * session was looked at after the reading (looks.ts); a reader that goes from piece to piece is read ahead of (readAhead.ts).
 */
import type { DiskData } from '../../../core/diskData.js';
import type { RangePager } from '../../../core/rangePage.js';
import { requireCount } from '../arguments.js';
import {
  VIX_E_DISK_NOIO,
  VIX_E_DISK_OUTOFRANGE,
  VIX_E_FILE_READ_ONLY,
  VIX_E_INVALID_HANDLE,
} from '../constants/codes.js';
import { VIXDISKLIB_SECTOR_SIZE, type VixDiskLibAdapterType } from '../constants/values.js';
import { invalid, VixFailure } from '../errors.js';
import { library } from '../library.js';
import type { VixDiskLibInfo } from '../types.js';
import { Gate } from './gate.js';
import { Looks } from './looks.js';
import { ReadAhead } from './readAhead.js';
import { PIECE_BYTES, ReadMemory } from './readMemory.js';

/** Bytes of asynchronous calls on their way at a time; the others wait their turn. */
const MAX_FLYING_BYTES = 64 << 20;
/** Bytes of reads that are asked from the server at a time, and in one request: more of either made the server slower (QEMU 7.2). */
const MAX_ASKED_BYTES = 3 << 20;
const REQUEST_BYTES = 512 << 10;
const HEADS = 255;
const TRACK_SECTORS = 63;

export interface OpenedDisk {
  data: DiskData;
  /** Path as it was given. */
  path: string;
  /** The image file; null for a disk of a snapshot. */
  file: string | null;
  uuid: string | null;
  transport: 'file' | 'nbd';
  numLinks: number;
  parent: string | null;
  adapterType: VixDiskLibAdapterType;
  /** Where the bytes are for the client's own process; null where they come through us alone. */
  server: string | null;
  /**
   * Of a snapshot, whose content never changes: throws when what was read before is not that content. Null for files of this
   * machine, which are what they are.
   */
  check: (() => Promise<void>) | null;
}

/**
 * What `VixDiskLib_Open` gives, for the calls that take a disk handle; not to be used otherwise.
 * @example
 * ```ts
 * const disk = ref<VixDiskLibHandle>();
 * const code = await VixDiskLib_Open(connection, '/vm/disk.qcow2', VIXDISKLIB_FLAG_OPEN_READ_ONLY, disk);
 * ```
 */
export class VixDiskLibHandle {
  /** @internal */
  readonly disk: OpenedDisk;
  readonly #onClose: (handle: VixDiskLibHandle) => void;
  readonly #running = new Set<Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  readonly #memory = new ReadMemory();
  readonly #gate = new Gate(MAX_ASKED_BYTES);
  readonly #looks: Looks;
  readonly #ahead: ReadAhead | null;
  readonly #library = library();
  #reading = 0;
  #flyingBytes = 0;
  #closing: Promise<void> | null = null;

  /** @internal */
  constructor(disk: OpenedDisk, onClose: (handle: VixDiskLibHandle) => void) {
    this.disk = disk;
    this.#onClose = onClose;
    this.#looks = new Looks(disk.check);
    this.#ahead =
      disk.check === null
        ? null
        : new ReadAhead(disk.data.info.sizeBytes, this.#memory, (offset, into) =>
            this.#looks.after(() => this.#fetch(offset, into)),
          );
  }

  /** @internal The handle of a call's argument: open, and this client's. */
  static of(argument: unknown): VixDiskLibHandle {
    if (
      typeof argument === 'object' &&
      argument !== null &&
      #closing in argument &&
      argument.#closing === null &&
      argument.#library === library()
    )
      return argument;
    throw new VixFailure(VIX_E_INVALID_HANDLE, 'handle is not one that is open');
  }

  /** @internal Whole sectors; what a disk has past them is not reached. */
  get capacity(): number {
    return Math.floor(this.disk.data.info.sizeBytes / VIXDISKLIB_SECTOR_SIZE);
  }

  /** @internal What VixDiskLib_GetInfo tells. */
  get info(): VixDiskLibInfo {
    const { numLinks, parent, adapterType, uuid } = this.disk;
    const cylinders = Math.min(Math.floor(this.capacity / (HEADS * TRACK_SECTORS)), 2 ** 32 - 1);
    const geometry = { cylinders, heads: HEADS, sectors: TRACK_SECTORS };
    return {
      biosGeo: geometry,
      physGeo: { ...geometry },
      capacity: this.capacity,
      adapterType,
      numLinks,
      parentFileNameHint: parent,
      uuid,
      logicalSectorSize: VIXDISKLIB_SECTOR_SIZE,
      physicalSectorSize: VIXDISKLIB_SECTOR_SIZE,
    };
  }

  /** @internal Straight into a buffer on shared memory; into others by way of memory of ours. */
  async read(startSector: unknown, numSectors: unknown, buffer: unknown): Promise<void> {
    const { offset, bytes } = this.#place(startSector, numSectors, buffer);
    if (bytes.length === 0) return;
    this.#reading += 1;
    try {
      const alone = this.#reading === 1;
      const ahead = alone && this.#ahead?.follows(offset, bytes.length) ? this.#ahead : null;
      const done = (await ahead?.read(offset, bytes)) ?? 0;
      if (done < bytes.length) await this.#readPieces(offset + done, bytes.subarray(done));
    } finally {
      this.#reading -= 1;
    }
  }

  /** @internal Whole sectors from the buffer. */
  async write(startSector: unknown, numSectors: unknown, buffer: unknown): Promise<void> {
    const { offset, bytes } = this.#place(startSector, numSectors, buffer);
    if (this.disk.data.info.readOnly)
      throw new VixFailure(VIX_E_FILE_READ_ONLY, `${this.disk.path} is open for reading`);
    if (bytes.length > 0) await this.#io(() => this.disk.data.write(offset, bytes));
  }

  /** @internal Runs reads and writes of asynchronous calls, bounded in bytes; what is wrong with the arguments throws at once. */
  start(numSectors: unknown, work: () => Promise<void>, done: (thrown: unknown) => void): void {
    const bytes = requireCount('numSectors', numSectors) * VIXDISKLIB_SECTOR_SIZE;
    const running = this.#admit(bytes)
      .then(work)
      .then(
        () => done(undefined),
        (thrown: unknown) => done(thrown),
      )
      .finally(() => {
        this.#running.delete(running);
        this.#flyingBytes -= bytes;
        // Each looks for itself whether there is room now.
        for (const wake of this.#waiting.splice(0)) wake();
      });
    this.#running.add(running);
  }

  /** @internal Until every asynchronous call has told its outcome. */
  async wait(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running]);
  }

  /** @internal Waits for what is on its way, and brings it to stable storage. */
  async flush(): Promise<void> {
    await this.wait();
    if (!this.disk.data.info.readOnly) await this.#io(() => this.disk.data.flush());
  }

  /** @internal Where the disk holds data, as it is now: nothing is remembered, because a hole that has been written would be lost data. */
  dataPager(): RangePager {
    const pager = this.disk.data.pager('base:allocation', 'data');
    return {
      page: (window) => this.#looks.after(() => this.#io(() => pager.page(window))),
    };
  }

  /** @internal Waits for what is on its way, and closes. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    await this.wait();
    this.#onClose(this);
    await this.disk.data.close();
  }

  #place(startSector: unknown, numSectors: unknown, buffer: unknown): { offset: number; bytes: Uint8Array } {
    const start = requireCount('startSector', startSector);
    const count = requireCount('numSectors', numSectors);
    const length = count * VIXDISKLIB_SECTOR_SIZE;
    if (!(buffer instanceof Uint8Array) || buffer.length < length)
      throw invalid('buffer', `a Uint8Array of at least ${length} bytes`);
    if (start + count > this.capacity) {
      const what = `sectors ${start} to ${start + count} pass the end of ${this.disk.path} at ${this.capacity}`;
      throw new VixFailure(VIX_E_DISK_OUTOFRANGE, what);
    }
    return { offset: start * VIXDISKLIB_SECTOR_SIZE, bytes: buffer.subarray(0, length) };
  }

  /** Pieces are copied while later ones arrive, the last while the session is looked at. After a failure nothing is copied. */
  async #readPieces(offset: number, bytes: Uint8Array): Promise<void> {
    const direct = bytes.buffer instanceof SharedArrayBuffer;
    let coming = 0;
    let failed = false;
    const last: (() => void)[] = [];
    const readPiece = async (at: number): Promise<void> => {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      coming += 1;
      try {
        if (direct) return await this.#fetch(offset + at, piece);
        const memory = await this.#gate.run(piece.length, async () => {
          const taken = this.#memory.take(piece.length);
          await this.#ask(offset + at, taken);
          return taken;
        });
        const copy = (): void => {
          if (!failed) piece.set(memory);
          this.#memory.giveBack(memory);
        };
        if (coming > 1) copy();
        else last.push(copy);
      } catch (error) {
        failed = true;
        throw error;
      } finally {
        coming -= 1;
      }
    };
    await this.#looks.after(
      async () => {
        const pieces: Promise<void>[] = [];
        for (let at = 0; at < bytes.length; at += PIECE_BYTES) pieces.push(readPiece(at));
        const settled = await Promise.allSettled(pieces);
        const refused = settled.find(({ status }) => status === 'rejected');
        if (refused?.status === 'rejected') throw refused.reason;
      },
      () => {
        for (const copy of last) copy();
      },
    );
  }

  #fetch(offset: number, into: Uint8Array): Promise<void> {
    return this.#gate.run(into.length, () => this.#ask(offset, into));
  }

  async #ask(offset: number, into: Uint8Array): Promise<void> {
    const range = Float64Array.of(offset, into.length);
    await this.#io(() => this.disk.data.readRanges(range, { into, chunkBytes: REQUEST_BYTES }));
  }

  async #admit(bytes: number): Promise<void> {
    while (this.#flyingBytes > 0 && this.#flyingBytes + bytes > MAX_FLYING_BYTES)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#flyingBytes += bytes;
  }

  async #io<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new VixFailure(VIX_E_DISK_NOIO, `${this.disk.path}: ${message}`, { cause });
    }
  }
}
