/** A disk: its bytes, its facts, and maps of what changed on it. Offsets and sizes in bytes; the C calls count sectors. */
import type { CallOptions } from '../../../core/callOptions.js';
import { parseUuid } from '../../../core/pointInTime.js';
import { requireCount } from '../arguments.js';
import { PHT_VIRTUAL_DISK } from '../constants/handleTypes.js';
import {
  PRL_ERR_DISK_DISK_NOT_OPENED,
  PRL_ERR_DISK_OPERATION_NOT_ALLOWED,
  PRL_ERR_DISK_READ_OUT_DISK,
  PRL_ERR_FAILURE,
  PRL_ERR_FILE_READ_ERROR,
  PRL_ERR_FILE_WRITE_ERROR,
  PRL_ERR_NO_DATA,
  PRL_ERR_UNINITIALIZED,
  type PRL_RESULT,
} from '../constants/results.js';
import { invalid, PrlError } from '../errors.js';
import { closeInTime, inTime } from '../inTime.js';
import type { PrlObject } from '../runtime.js';
import { DiskMap } from './diskMap.js';
import { MAP_GRANULARITY_BYTES, type OpenedDisk, type OpenMap } from './openedDisk.js';

export const SECTOR_BYTES = 512;

/** Facts of an open disk. */
export interface DiskInfo {
  /** Size of the disk, bytes. */
  sizeBytes: number;
  /** Whether it is open for reading only. */
  readOnly: boolean;
  /** What it was opened by. */
  name: string;
  /** UUID of the disk's history, null where none is kept: who has another one now is another disk, whatever it is called. */
  uuid: string | null;
}

/**
 * An open disk: `PrlDisk_` calls as methods, in bytes. Failures are `PrlError`s with the SDK's code.
 * @example
 * ```ts
 * await using opened = await openPrlDisk('/vm/disk.qcow2');
 * const target = new Uint8Array(65_536);
 * await opened.read(0, target);
 * ```
 */
export class Disk implements PrlObject, AsyncDisposable {
  /** The `PHT_…` of its handles. */
  readonly handleType = PHT_VIRTUAL_DISK;
  readonly #source: OpenedDisk;
  readonly #shiftBytes: number;
  readonly #onClose: (() => void) | undefined;
  #closing: Promise<void> | null = null;

  /** @internal {@link openDisk} and Backup.getDisk make them. */
  constructor(source: OpenedDisk, shiftBytes = 0, onClose?: () => void) {
    this.#source = source;
    this.#shiftBytes = shiftBytes;
    this.#onClose = onClose;
  }

  /** Size in bytes, name, history, and whether it refuses writes. */
  get info(): DiskInfo {
    const { name, data, history } = this.#source;
    return { name, sizeBytes: data.info.sizeBytes, readOnly: data.info.readOnly, uuid: history };
  }

  /**
   * Fills `target` from `offset` on. What lies past the end of the disk, in its last granule, reads as zeros: programs read
   * whole granules. Any other read past the end is PRL_ERR_DISK_READ_OUT_DISK.
   * @param offset Bytes from the start.
   * @param target Is filled.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: past the end, closed, or what the storage said.
   */
  async read(offset: number, target: Uint8Array, options?: CallOptions): Promise<void> {
    const failure = this.#failure(PRL_ERR_FILE_READ_ERROR);
    await inTime('read', options, (own) => this.#read(offset, target, own), failure);
  }

  async #read(offset: number, target: Uint8Array, own: CallOptions): Promise<void> {
    this.#requireOpen();
    requireBytes('target', target);
    const at = requireCount('offset', offset) + this.#shiftBytes;
    const { sizeBytes } = this.info;
    const end = at + target.length;
    const granuleEnd = Math.ceil(sizeBytes / MAP_GRANULARITY_BYTES) * MAP_GRANULARITY_BYTES;
    if (end > granuleEnd || (end > sizeBytes && at >= sizeBytes && target.length > 0)) {
      const what = `bytes ${at} to ${end} pass the end of the disk at ${sizeBytes} (${this.#source.name})`;
      throw new PrlError(this.#failure(PRL_ERR_DISK_READ_OUT_DISK), what);
    }
    const inside = Math.min(end, sizeBytes) - at;
    const into = target.subarray(0, Math.max(0, inside));
    if (inside > 0) await this.#source.data.readRanges(Float64Array.of(at, inside), { ...own, into });
    await this.#source.check(own);
    target.fill(0, Math.max(0, inside));
  }

  /**
   * Writes all of `bytes` at `offset`. PRL_ERR_DISK_OPERATION_NOT_ALLOWED where it is open for reading only, and
   * PRL_ERR_DISK_READ_OUT_DISK past its end; of an NBD disk both are PRL_ERR_FAILURE. On stable storage after {@link flush}.
   * @param offset Bytes from the start.
   * @param bytes What is written.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: past the end, closed, open for reading, or what the storage said.
   */
  async write(offset: number, bytes: Uint8Array, options?: CallOptions): Promise<void> {
    const failure = this.#failure(PRL_ERR_FILE_WRITE_ERROR);
    await inTime('write', options, (own) => this.#write(offset, bytes, own), failure);
  }

  async #write(offset: number, bytes: Uint8Array, own: CallOptions): Promise<void> {
    this.#requireOpen();
    requireBytes('bytes', bytes);
    const at = requireCount('offset', offset) + this.#shiftBytes;
    const { sizeBytes, readOnly } = this.info;
    if (readOnly) {
      const what = `${this.#source.name} is open for reading only`;
      throw new PrlError(this.#failure(PRL_ERR_DISK_OPERATION_NOT_ALLOWED), what);
    }
    if (at + bytes.length > sizeBytes) {
      const what = `bytes ${at} to ${at + bytes.length} pass the end of the disk at ${sizeBytes}`;
      throw new PrlError(this.#failure(PRL_ERR_DISK_READ_OUT_DISK), what);
    }
    await this.#source.data.write(at, bytes, own);
  }

  /**
   * Everything written is on stable storage afterwards.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it where it is not known that the data is safe.
   */
  async flush(options?: CallOptions): Promise<void> {
    const work = async (own: CallOptions): Promise<void> => {
      this.#requireOpen();
      if (!this.info.readOnly) await this.#source.data.flush(own);
    };
    await inTime('flush', options, work, this.#failure(PRL_ERR_FILE_WRITE_ERROR));
  }

  /** True when reads and writes must be whole sectors. */
  get needsSectors(): boolean {
    return this.#source.local;
  }

  /**
   * The map of what changed since `pit1`, up to `pit2` or to what this disk shows; without `pit1`, of what holds data. Any
   * doubt about the point in time is PRL_ERR_NO_DATA: make a full backup.
   * @param pit1 UUID of the earlier point; null for what is allocated.
   * @param pit2 UUID of the later point; null for the state that the disk shows.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: PRL_ERR_NO_DATA where it is not known what changed: take a full
   * backup.
   */
  async getChangesMap(
    pit1: string | null = null,
    pit2: string | null = null,
    options?: CallOptions,
  ): Promise<DiskMap> {
    const failure = pit1 === null ? PRL_ERR_FAILURE : PRL_ERR_NO_DATA;
    return inTime('getChangesMap', options, (own) => this.#changesMap(pit1, pit2, own), failure);
  }

  async #changesMap(pit1: string | null, pit2: string | null, own: CallOptions): Promise<DiskMap> {
    this.#requireOpen(PRL_ERR_UNINITIALIZED);
    if (pit1 === null) {
      if (pit2 !== null) throw new PrlError(PRL_ERR_NO_DATA, 'what holds data is told of the disk as it is');
      return await this.#toMap(await this.#source.allocated(own), own);
    }
    const to = pit2 === null ? undefined : pointOf('pit2', pit2);
    const open = await this.#source.changes(pointOf('pit1', pit1), to, pit1, own);
    return await this.#toMap(open, own, this.#source.ownGranularity);
  }

  /**
   * Closes it, once, however often it is called; goes on where only the waiting for it ends.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it where closing failed.
   */
  async close(options?: CallOptions): Promise<void> {
    await closeInTime('close', options, async () => {
      this.#closing ??= this.#source.close();
      this.#onClose?.();
      await this.#closing;
    });
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #toMap({ map, close }: OpenMap, own: CallOptions, ownGranularity = false): Promise<DiskMap> {
    try {
      const granularityBytes = ownGranularity ? map.granularityBytes : MAP_GRANULARITY_BYTES;
      DiskMap.requireCountable(map.sizeBytes, granularityBytes);
      const bits = await map.bits(granularityBytes, own);
      await this.#source.check(own);
      return new DiskMap(bits, granularityBytes, map.sizeBytes);
    } finally {
      await close();
    }
  }

  /** A disk is closed by its owner, or by the end of its backup while its handle is still there. */
  #requireOpen(result = this.#failure(PRL_ERR_DISK_DISK_NOT_OPENED)): void {
    if (this.#closing === null) return;
    throw new PrlError(result, `${this.#source.name} is closed, by its owner or by the end of its backup`);
  }

  /** A local file has codes of its own; of an NBD server the SDK only says that it failed. */
  #failure(local: PRL_RESULT): PRL_RESULT {
    return this.#source.local ? local : PRL_ERR_FAILURE;
  }
}

function requireBytes(argument: string, bytes: unknown): void {
  if (!(bytes instanceof Uint8Array)) throw invalid(argument, 'a Buffer or Uint8Array');
}

/** A UUID in any spelling, or the exact name of a bitmap; what the core would take for something else is unknown here. */
function pointOf(argument: string, text: string): string {
  const uuid = parseUuid(text);
  if (uuid !== null) return uuid;
  if (text === '' || text === '*')
    throw new PrlError(PRL_ERR_NO_DATA, `${argument} is ${JSON.stringify(text)}: no point in time`);
  return text;
}
