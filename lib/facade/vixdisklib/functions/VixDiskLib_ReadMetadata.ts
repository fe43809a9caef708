import type { Ref } from '../../ref.js';
import { requireCount } from '../arguments.js';
import { callAsync } from '../call.js';
import { VIX_E_BUFFER_TOOSMALL, VIX_E_DISK_KEY_NOTFOUND, type VixError } from '../constants/codes.js';
import { VixFailure } from '../errors.js';
import { VixDiskLibHandle } from '../objects/handle.js';
import { readMetadata } from '../objects/metadata.js';

/**
 * Text of a key, NUL-terminated. A key that is not there is VIX_E_DISK_KEY_NOTFOUND; too short a buffer is VIX_E_BUFFER_TOOSMALL. `requiredLen`, where
 * given, becomes the bytes needed.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @param key Name of the value.
 * @param buf Takes the value, closed by a NUL; NULL to ask for the length.
 * @param bufLen Bytes of `buf` that may be used.
 * @param requiredLen Box for the bytes needed, the closing NUL included.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * await VixDiskLib_WriteMetadata(handle, 'backup', 'monday');
 * const value = new Uint8Array(256);
 * const code = await VixDiskLib_ReadMetadata(handle, 'backup', value, value.length, null);
 * ```
 */
export async function VixDiskLib_ReadMetadata(
  diskHandle: VixDiskLibHandle | null | undefined,
  key: string,
  buf: Uint8Array | null | undefined,
  bufLen: number,
  requiredLen: Ref<number | undefined> | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    const metadata = await readMetadata(VixDiskLibHandle.of(diskHandle).disk.file);
    const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
    if (value === undefined)
      throw new VixFailure(VIX_E_DISK_KEY_NOTFOUND, `there is no key ${JSON.stringify(key)}`);
    const bytes = Buffer.from(`${value}\0`);
    if (requiredLen != null) requiredLen.value = bytes.length;
    if (buf == null || Math.min(requireCount('bufLen', bufLen), buf.length) < bytes.length)
      throw new VixFailure(VIX_E_BUFFER_TOOSMALL, `the text needs ${bytes.length} bytes`);
    buf.set(bytes);
  });
}
