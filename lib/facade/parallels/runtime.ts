/** The state of the library in this process: whether it is initialised, and the table of handles. */

import { HandleTable } from '../handleTable.js';
import type { Ref } from '../ref.js';
import { PRL_ERR_API_WASNT_INITIALIZED } from './constants/results.js';
import { invalid, PrlError } from './errors.js';

/** What stands behind a handle. */
export interface PrlObject {
  /** PHT_ value of its handles. */
  readonly handleType: number;
  /** Called when the last reference is dropped. */
  close(): Promise<void>;
}

/** The SDK's first handle. */
const FIRST_HANDLE = 0xface;

export const table = new HandleTable(FIRST_HANDLE);
let initialised = 0;

export function initialise(): void {
  initialised += 1;
}

/** True when that was the last one. */
export function deinitialise(): boolean {
  requireInitialised();
  initialised -= 1;
  return initialised === 0;
}

export function requireInitialised(): void {
  if (initialised === 0)
    throw new PrlError(PRL_ERR_API_WASNT_INITIALIZED, 'PrlApi_Init has not been called, or not again');
}

/** Gives an object a handle, into the caller's box. */
export function give(out: Ref<number | undefined>, object: PrlObject): void {
  out.value = table.add(object);
}

/** The object of a handle; what is unknown, freed, zero or of another type is the SDK's PRL_ERR_INVALID_ARG. */
export function take<T extends PrlObject>(
  argument: string,
  handle: unknown,
  type: abstract new (...args: never[]) => T,
): T {
  const object = table.get(handle, type);
  if (object === undefined) throw invalid(argument, `a live handle of a ${type.name}`);
  return object;
}

/** An out parameter: NULL and anything else that cannot be written into are refused. */
export function requireRef<T>(argument: string, out: Ref<T> | null | undefined): Ref<T> {
  if (typeof out !== 'object' || out === null || !('value' in out)) throw invalid(argument, 'a ref()');
  return out;
}

const MAX_UINT32 = 2 ** 32 - 1;

export function requireUint32(argument: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > MAX_UINT32)
    throw invalid(argument, `an integer from 0 to ${MAX_UINT32}`);
  return value;
}

/** A 64-bit number as the core counts: exact up to 2^53. */
export function requireCount(argument: string, value: unknown): number {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0)
    throw invalid(argument, `an integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
  return number;
}

/** A text parameter that may not be NULL. */
export function requireText(argument: string, value: unknown): string {
  if (typeof value !== 'string' || value.includes('\0')) throw invalid(argument, 'a text without NUL bytes');
  return value;
}

/** Memory that a caller lends to a call: a Buffer, a typed array or a DataView. */
export type PrlBuffer = ArrayBufferView;

/** A caller's buffer as bytes; null for what is none. */
export function bytesOf(buffer: unknown): Uint8Array | null {
  if (!ArrayBuffer.isView(buffer)) return null;
  // A view whose memory was transferred or shrunk away has no bytes, and none may be made over it.
  if (buffer.byteLength === 0) return new Uint8Array(0);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** The first `sizeBytes` bytes of a buffer, a multiple of `unit`. */
export function requireBuffer(
  argument: string,
  buffer: unknown,
  sizeBytes: unknown,
  unit: number,
): Uint8Array {
  const size = requireUint32('sizeBytes', sizeBytes);
  if (size % unit !== 0) throw invalid('sizeBytes', `a multiple of ${unit}`);
  const bytes = bytesOf(buffer);
  if (bytes === null || bytes.length < size)
    throw invalid(argument, `a Buffer or typed array of at least ${size} bytes`);
  return bytes.subarray(0, size);
}
