/** Reading what a program brought: every byte that was asked for is there, or it is an error. */
import type { DiskData, DiskDataCallOptions } from '../core/diskData.js';
import { CbtError } from '../core/errors.js';

/** Whatever reads: a `DiskData`, or what a program brought. */
interface Readable {
  readonly info: { readonly sizeBytes: number };
  read(offset: number, length: number, options?: { signal?: AbortSignal | undefined }): Promise<Uint8Array>;
}

/** Fills `into` with the disk's bytes from `offset` on. */
export async function readInto(
  into: Buffer,
  disk: Readable,
  offset: number,
  call: DiskDataCallOptions,
): Promise<void> {
  // Without a copy, where the disk is one of ours.
  const { readRanges } = disk as Partial<Pick<DiskData, 'readRanges'>>;
  if (typeof readRanges === 'function') {
    const range = Float64Array.of(offset, into.length);
    const filled: unknown = await readRanges.call(disk, range, { ...call, into });
    if (filled !== into) throw broken(disk, 'readRanges did not fill the memory that it was given');
    return;
  }
  into.set(await readWhole(disk, offset, into.length, call));
}

/** The bytes, exactly as many as were asked for. */
export async function readWhole(
  disk: Readable,
  offset: number,
  length: number,
  call: DiskDataCallOptions,
): Promise<Buffer> {
  const data: unknown = await disk.read(offset, length, call);
  if (!(data instanceof Uint8Array)) throw broken(disk, `read gave ${typeof data}, expected a Uint8Array`);
  if (data.length !== length)
    throw broken(disk, `read gave ${data.length} bytes where ${length} were asked for at ${offset}`);
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function broken({ info }: Readable, what: string): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_PROTOCOL',
    `the data of a disk of ${info.sizeBytes} bytes broke its rules: ${what}`,
  );
}
