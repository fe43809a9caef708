import type { Ref } from '../../ref.js';
import { requireCount } from '../arguments.js';
import { callAsync } from '../call.js';
import { VIX_E_BUFFER_TOOSMALL, type VixError } from '../constants/codes.js';
import { VixFailure } from '../errors.js';
import { VixDiskLibHandle } from '../objects/handle.js';
import { readMetadata } from '../objects/metadata.js';

/**
 * The keys, each ended by NUL, and one more NUL behind the last. `requiredLen`, where given, becomes the bytes needed.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @param keys Takes the names, each closed by a NUL, and one NUL more; NULL to ask for the length.
 * @param maxLen Bytes of `keys` that may be used.
 * @param requiredLen Box for the bytes needed, the closing NUL included.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const length = ref<number>();
 * await VixDiskLib_GetMetadataKeys(handle, null, 0, length);
 * const keys = new Uint8Array(length.value ?? 0);
 * const code = await VixDiskLib_GetMetadataKeys(handle, keys, keys.length, length);
 * ```
 */
export async function VixDiskLib_GetMetadataKeys(
  diskHandle: VixDiskLibHandle | null | undefined,
  keys: Uint8Array | null | undefined,
  maxLen: number,
  requiredLen: Ref<number | undefined> | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    const metadata = await readMetadata(VixDiskLibHandle.of(diskHandle).disk.file);
    const bytes = Buffer.from(
      `${Object.keys(metadata)
        .map((key) => `${key}\0`)
        .join('')}\0`,
    );
    if (requiredLen != null) requiredLen.value = bytes.length;
    if (keys == null || Math.min(requireCount('maxLen', maxLen), keys.length) < bytes.length)
      throw new VixFailure(VIX_E_BUFFER_TOOSMALL, `the keys need ${bytes.length} bytes`);
    keys.set(bytes);
  });
}
