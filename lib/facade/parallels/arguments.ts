/** What callers hand in, checked. */
import type { Ref } from '../ref.js';
import { invalid } from './errors.js';

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
