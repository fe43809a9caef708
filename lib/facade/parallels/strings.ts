/**
 * The SDK's rule for every text that goes out through a buffer and its length (CopyStringValue): no buffer, or a length of
 * 0, asks for the bytes needed, the NUL included; too small a buffer gets what fits, without NUL.
 */
import type { Ref } from '../ref.js';
import { PRL_ERR_BUFFER_OVERRUN } from './constants/results.js';
import { invalid, PrlError } from './errors.js';
import { requireRef, requireUint32 } from './runtime.js';

export function copyString(text: string, buffer: Uint8Array | null, length: Ref<number>): void {
  const bytes = Buffer.from(`${text}\0`, 'utf8');
  const given = requireUint32('length', requireRef('length', length).value);
  length.value = bytes.length;
  if (buffer === null || given === 0) return;
  if (!(buffer instanceof Uint8Array) || buffer.length < given)
    throw invalid('buffer', `a Uint8Array of at least ${given} bytes, or null`);
  buffer.set(bytes.subarray(0, given));
  if (given < bytes.length)
    throw new PrlError(PRL_ERR_BUFFER_OVERRUN, `the text needs ${bytes.length} bytes, ${given} were given`);
}
