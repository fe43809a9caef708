/**
 * The SDK's rule for every text that goes out through a buffer and its length (CopyStringValue): no buffer, or a length of
 * 0, asks for the bytes needed, the NUL included; too small a buffer gets what fits, without NUL.
 */
import type { Ref } from '../ref.js';
import { bytesOf, type PrlBuffer, requireRef, requireUint32 } from './arguments.js';
import { PRL_ERR_BUFFER_OVERRUN } from './constants/results.js';
import { invalid, PrlError } from './errors.js';

export function copyString(
  text: string,
  buffer: PrlBuffer | null | undefined,
  length: Ref<number> | null | undefined,
): void {
  const bytes = Buffer.from(`${text}\0`, 'utf8');
  const box = requireRef('length', length);
  const given = requireUint32('length', box.value);
  box.value = bytes.length;
  if (buffer == null || given === 0) return;
  const target = bytesOf(buffer);
  if (target === null || target.length < given)
    throw invalid('buffer', `a Buffer or typed array of at least ${given} bytes, or null`);
  target.set(bytes.subarray(0, given));
  if (given < bytes.length)
    throw new PrlError(PRL_ERR_BUFFER_OVERRUN, `the text needs ${bytes.length} bytes, ${given} were given`);
}
