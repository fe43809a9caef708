/**
 * A change map against the disk's content: reads two states of a disk and looks for bytes that differ although the map says
 * that nothing changed there. One such byte means that backups by this map lose data.
 */
import type { CallOptions } from '../core/callOptions.js';
import { ChangeMap } from '../core/changeMap.js';
import { invalidArgument, throwIfAborted } from '../core/errors.js';
import { type Check, type Checks, callback, checkOptions, required } from '../core/options.js';
import { within } from '../core/within.js';
import { CLUSTER_BYTES } from './manifest.js';
import { CALL } from './options.js';
import { readWhole } from './readInto.js';

/** What is asked of a state of a disk; any `DiskData` will do. */
export interface ReadableDisk {
  /** Size of the disk. */
  readonly info: { readonly sizeBytes: number };
  /**
   * `length` bytes from `offset` on.
   * @param offset Bytes from the start.
   * @param length Bytes.
   * @param options What else is wanted; each option says what holds without it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  read(offset: number, length: number, options?: { signal?: AbortSignal | undefined }): Promise<Uint8Array>;
}

/** Two states of a disk, and the map between them. */
export interface CheckMapOptions extends CallOptions {
  /** The disk at the map's earlier point. */
  before: ReadableDisk;
  /** The disk at its later point. */
  after: ReadableDisk;
  /** What may differ between the two. */
  map: ChangeMap;
  /** Told as bytes outside the map are compared. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** What the comparison found; no difference means that the map missed nothing. */
export interface CheckMapResult {
  /** Bytes outside the map, all compared. */
  comparedBytes: number;
  /** Bytes inside the map, which may differ. */
  mappedBytes: number;
  /** Stretches outside the map that differ, in clusters of 64 KiB; at most 1000 of them are listed. */
  differences: { offset: number; length: number }[];
  /** Bytes of all such stretches, also of those that are not listed. */
  differentBytes: number;
}

const STRIDE_BYTES = 4 << 20;
const MAX_LISTED = 1000;

const readable: Check = (value, name) => {
  const { info, read } = (value ?? {}) as Partial<ReadableDisk>;
  if (typeof read !== 'function' || !Number.isSafeInteger(info?.sizeBytes))
    throw invalidArgument(name, value, 'what has `info.sizeBytes` and `read`, as the data of a disk');
};

const changeMap: Check = (value, name) => {
  if (!(value instanceof ChangeMap)) throw invalidArgument(name, value, 'a ChangeMap');
};

const CHECK_MAP: Checks<CheckMapOptions> = {
  before: required(readable),
  after: required(readable),
  map: required(changeMap),
  onBytes: callback,
  ...CALL,
};

/**
 * Compares all that the map calls unchanged, as far as both states reach. Memory: a few MiB.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError` for an option that is not what it must be, and what cannot be read.
 * @example
 * ```ts
 * import { openData, openDisk } from 'qemu-cbt';
 *
 * await using disk = await openDisk('/vm/disk.qcow2');
 * await using before = await openData({ kind: 'qemu-nbd', file: '/vm/restored.qcow2', format: 'qcow2' });
 * await using after = await disk.openData();
 * const map = await disk.changes({ from: '3f2504e0-4f89-11d3-9a0c-0305e82c3301' });
 * const { differentBytes } = await checkMap({ map, before, after });
 * ```
 */
export async function checkMap(options: CheckMapOptions): Promise<CheckMapResult> {
  checkOptions('checkMap', options, CHECK_MAP);
  return within('checkMap', options, (own = options) => compareAll(own));
}

async function compareAll(options: CheckMapOptions): Promise<CheckMapResult> {
  const { before, after, map, signal } = options;
  throwIfAborted(signal);
  // What lies behind the end of either disk has no counterpart to be compared with; growth counts as changed.
  const end = Math.min(before.info.sizeBytes, after.info.sizeBytes, map.sizeBytes);
  const result: CheckMapResult = { comparedBytes: 0, mappedBytes: 0, differences: [], differentBytes: 0 };
  let at = 0;
  for await (const batch of map.batches({ signal }))
    for (let i = 0; i < batch.length; i += 2) {
      const [offset = 0, length = 0] = batch.subarray(i, i + 2);
      result.mappedBytes += length;
      await compare(options, at, Math.min(offset, end), result);
      at = Math.max(at, Math.min(offset + length, end));
    }
  await compare(options, at, end, result);
  return result;
}

async function compare(
  { before, after, signal, onBytes }: CheckMapOptions,
  start: number,
  end: number,
  result: CheckMapResult,
): Promise<void> {
  const call = signal === undefined ? {} : { signal };
  const read = (offset: number) => {
    const length = Math.min(STRIDE_BYTES, end - offset);
    const both = Promise.all([
      readWhole(before, offset, length, call),
      readWhole(after, offset, length, call),
    ]);
    both.catch(() => undefined);
    return both;
  };
  let reading = start < end ? read(start) : null;
  for (let offset = start; reading !== null; offset += STRIDE_BYTES) {
    throwIfAborted(signal);
    const [old, now] = await reading;
    const next = offset + STRIDE_BYTES;
    reading = next < end ? read(next) : null;
    if (!old.equals(now)) note(offset, old, now, result);
    result.comparedBytes += old.length;
    onBytes?.(old.length);
  }
}

function note(start: number, old: Buffer, now: Buffer, result: CheckMapResult): void {
  for (let at = 0; at < old.length; at += CLUSTER_BYTES) {
    const end = Math.min(at + CLUSTER_BYTES, old.length);
    if (old.compare(now, at, end, at, end) === 0) continue;
    result.differentBytes += end - at;
    const last = result.differences.at(-1);
    if (last !== undefined && last.offset + last.length === start + at) last.length += end - at;
    else if (result.differences.length < MAX_LISTED)
      result.differences.push({ offset: start + at, length: end - at });
  }
}
