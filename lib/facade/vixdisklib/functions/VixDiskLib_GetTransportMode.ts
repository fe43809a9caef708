import { VixDiskLibHandle } from '../objects/handle.js';

/**
 * How the disk is reached: `file` or `nbd`; null for what is no open disk.
 * @param diskHandle Of {@link VixDiskLib_Open}.
 * @returns The mode, `file` or `nbd`; NULL for a handle that is none.
 * @example
 * ```ts
 * const mode = VixDiskLib_GetTransportMode(handle);
 * ```
 */
export function VixDiskLib_GetTransportMode(diskHandle: VixDiskLibHandle | null | undefined): string | null {
  try {
    return VixDiskLibHandle.of(diskHandle).disk.transport;
  } catch {
    return null;
  }
}
