/**
 * A qcow2 file that holds nothing but plain clusters, as the layers of a backup do, read without QEMU: what its header says
 * can then lead nowhere. Whatever goes beyond that (an external data file, encryption, compression, extended entries) is
 * refused, and a backing file is only ever a name.
 */
import type { FileHandle } from 'node:fs/promises';
import { CbtError, throwIfAborted } from '../../../core/errors.js';
import { openRegularFile } from '../../../linux/regularFile.js';
import { corrupt, type Fault, faultError, hex } from '../faults.js';
import { parseExtensions } from './extensions.js';
import { hostOffset, u32, u64 } from './fields.js';
import {
  KNOWN_HEADER_BYTES,
  l2CoverageBytes,
  parseHeader,
  type Qcow2Header,
  readClusterBits,
} from './header.js';
import { parseL1Table } from './l1Table.js';

const COMPRESSED = 0x4000_0000;
/** Bits 56 to 61 of an L2 entry, and bits 1 to 8; bit 63 tells that the cluster's count is one. */
const RESERVED_HIGH = 0x3f00_0000;
const RESERVED_LOW = 0x0000_01fe;
const READS_AS_ZEROS = 1;
/** Of an L2 table so much is read at once: entries of 32 MiB of disk in a file of ours. */
const SLICE_BYTES = 4096;

/** Clusters in a row that the file holds: data at `host`, or zeros (null). */
export interface HeldRun {
  offset: number;
  length: number;
  host: number | null;
}

export class PlainImage implements AsyncDisposable {
  readonly sizeBytes: number;
  readonly clusterBytes: number;
  /** Disk bytes that one L2 table maps, and a slice of one. */
  readonly #tableCovers: number;
  readonly #sliceCovers: number;
  #l1: Promise<Float64Array> | null = null;
  /** The slice that was asked for last: readers go through a disk in order. */
  #slice: { start: number; bytes: Promise<Buffer> } | null = null;

  private constructor(
    readonly path: string,
    /** Name and format of the layer below, as the header has them. */
    readonly backing: { name: string; format: string | null } | null,
    readonly fileBytes: number,
    /** How many names the file has. */
    readonly links: number,
    private readonly file: FileHandle,
    private readonly header: Qcow2Header,
  ) {
    this.sizeBytes = header.sizeBytes;
    this.clusterBytes = header.clusterBytes;
    this.#tableCovers = l2CoverageBytes(header.clusterBytes, false);
    this.#sliceCovers = (Math.min(SLICE_BYTES, header.clusterBytes) / 8) * header.clusterBytes;
  }

  /** Opens it and reads the header. System errors come as they are; what is not right with it is `ERR_CBT_CORRUPT_IMAGE`. */
  static async open(path: string): Promise<PlainImage> {
    const file = await openRegularFile(path);
    try {
      const { size, nlink } = await file.stat();
      const head = await readUpTo(file, 0, KNOWN_HEADER_BYTES);
      const clusterBytes = 2 ** readClusterBits(path, head);
      const first = await readUpTo(file, 0, clusterBytes);
      const header = parseHeader(path, first);
      requirePlain(path, header);
      // After the features: of an image that is not plain an extension may say anything.
      const { backingFormat = null } = parseExtensions(path, first, header);
      const { offsetBytes, lengthBytes } = header.backingName;
      const name = first.toString('utf8', offsetBytes, offsetBytes + lengthBytes);
      const backing = offsetBytes === 0 ? null : { name, format: backingFormat };
      requireTables(path, first, header, size);
      return new PlainImage(path, backing, size, nlink, file, header);
    } catch (error) {
      await file.close();
      throw asCorrupt(error);
    }
  }

  /** What the file itself holds of [start, end), in order; runs that touch may come apart. */
  async *held(start: number, end: number): AsyncGenerator<HeldRun, void, undefined> {
    const limit = Math.min(end, this.sizeBytes);
    const l1 = await this.#l1Table();
    for (let at = start; at < limit; ) {
      const index = Math.floor(at / this.#tableCovers);
      const table = l1[index] ?? 0;
      const covers = table === 0 ? this.#tableCovers : this.#sliceCovers;
      const until = Math.min(limit, at - (at % covers) + covers);
      if (table !== 0) yield* this.#runs(await this.#entries(table, at), at, until);
      at = until;
    }
  }

  /** Fills `into` with the disk's bytes from `offset` on; what the file does not hold reads as zeros. */
  async read(into: Buffer, offset: number, signal?: AbortSignal): Promise<void> {
    into.fill(0);
    await this.overlay(into, offset, signal);
  }

  /** The same, but what the file does not hold is left as it is. */
  async overlay(into: Buffer, offset: number, signal?: AbortSignal): Promise<void> {
    for await (const run of this.held(offset, offset + into.length)) {
      throwIfAborted(signal);
      const at = run.offset - offset;
      if (run.host === null) into.fill(0, at, at + run.length);
      else await this.#readHost(into, at, run.length, run.host);
    }
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The runs of [from, until), which lies in one slice. */
  *#runs(slice: Buffer, from: number, until: number): Generator<HeldRun> {
    const { clusterBytes } = this;
    const base = from - (from % this.#sliceCovers);
    let last: HeldRun | null = null;
    for (let at = from; at < until; ) {
      const next = Math.min(until, at - (at % clusterBytes) + clusterBytes);
      const host = this.#entry(slice, Math.floor((at - base) / clusterBytes), base, at, next);
      const length = next - at;
      if (host === undefined) {
        if (last !== null) yield last;
        last = null;
      } else if (last !== null && follows(last, host)) last.length += length;
      else {
        if (last !== null) yield last;
        last = { offset: at, length, host };
      }
      at = next;
    }
    if (last !== null) yield last;
  }

  /** Where [at, next) of one cluster lies in the file; null for zeros, undefined where the file does not hold it. */
  #entry(slice: Buffer, index: number, base: number, at: number, next: number): number | null | undefined {
    const high = u32(slice, 8 * index);
    const low = u32(slice, 8 * index + 4);
    if (high === 0 && low === 0) return undefined;
    const fail = (what: string): never => {
      const where = `L2 entry of the cluster at ${base + index * this.clusterBytes}`;
      throw faultError(this.path, corrupt(where, hex(u64(slice, 8 * index)), what));
    };
    if ((high & COMPRESSED) !== 0) fail('a cluster that is not compressed');
    if ((high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0) fail('zero in its reserved bits');
    const host = hostOffset(high, low);
    if (host % this.clusterBytes !== 0) fail(`a multiple of ${this.clusterBytes}`);
    if ((low & READS_AS_ZEROS) !== 0) return null;
    if (host === 0) return fail('an offset in the file');
    const inside = at % this.clusterBytes;
    if (host + inside + (next - at) > this.fileBytes) fail(`inside the file of ${this.fileBytes} bytes`);
    return host + inside;
  }

  #l1Table(): Promise<Float64Array> {
    const { entries, offsetBytes } = this.header.l1;
    this.#l1 ??= this.#exactly(offsetBytes, 8 * entries, 'L1 table').then((bytes) =>
      parseL1Table(this.path, bytes, this.clusterBytes, this.fileBytes),
    );
    return this.#l1;
  }

  /** The slice that maps `at`, of the table at that offset of the file. */
  #entries(table: number, at: number): Promise<Buffer> {
    const start = at - (at % this.#sliceCovers);
    if (this.#slice?.start === start) return this.#slice.bytes;
    const within = ((start % this.#tableCovers) / this.clusterBytes) * 8;
    const length = (this.#sliceCovers / this.clusterBytes) * 8;
    const bytes = this.#exactly(table + within, length, `L2 table of the disk's bytes at ${start}`);
    this.#slice = { start, bytes };
    return bytes;
  }

  async #readHost(into: Buffer, at: number, length: number, host: number): Promise<void> {
    const found = await readInto(this.file, into, at, length, host);
    if (found < length) throw faultError(this.path, corrupt('data', `cut off at ${host + found}`, 'there'));
  }

  async #exactly(offset: number, length: number, field: string): Promise<Buffer> {
    const bytes = await readUpTo(this.file, offset, length);
    if (bytes.length === length) return bytes;
    throw faultError(
      this.path,
      corrupt(field, `${offset}+${length}`, `inside the file of ${this.fileBytes} bytes`),
    );
  }
}

function follows(last: HeldRun, host: number | null): boolean {
  return last.host === null ? host === null : last.host + last.length === host;
}

function requirePlain(path: string, header: Qcow2Header): void {
  const check = (sound: boolean, fault: Fault): void => {
    if (!sound) throw faultError(path, fault);
  };
  check(header.version === 3, corrupt('version', header.version, 3));
  check(!header.externalData, corrupt('incompatible_features', 'an external data file', 'none'));
  check(
    header.incompatible === 0n,
    corrupt('incompatible_features', hex(header.incompatible), '0, a file of plain clusters'),
  );
  check(header.encryption === 'none', corrupt('crypt_method', header.encryption, 'none'));
}

/** A file that was cut short misses what stands last in it: its tables are looked for. */
function requireTables(
  path: string,
  first: Buffer,
  { l1, clusterBytes }: Qcow2Header,
  fileBytes: number,
): void {
  const ends: [string, number][] = [
    ['refcount_table_offset', Number(u64(first, 48)) + u32(first, 56) * clusterBytes],
    ['l1_table_offset', l1.offsetBytes + 8 * l1.entries],
  ];
  for (const [field, end] of ends)
    if (end > fileBytes)
      throw faultError(
        path,
        corrupt(`the end of ${field}`, end, `at most ${fileBytes}, the end of the file`),
      );
}

/** Of a layer, what is not supported is as wrong as what is damaged: nobody wrote it so. */
function asCorrupt(error: unknown): unknown {
  if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_UNSUPPORTED') return error;
  return new CbtError('ERR_CBT_CORRUPT_IMAGE', error.message, { details: error.details, cause: error });
}

async function readUpTo(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, await readInto(file, bytes, 0, length, offset));
}

/** Bytes read: fewer only at the end of the file. */
async function readInto(
  file: FileHandle,
  into: Buffer,
  at: number,
  length: number,
  offset: number,
): Promise<number> {
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(into, at + done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
