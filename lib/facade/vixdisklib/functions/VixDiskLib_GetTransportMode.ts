import { VixDiskLibHandle } from '../objects/handle.js';

/**
 * How the disk is reached: `file` or `nbd`; null for what is no open disk.
 */
export function VixDiskLib_GetTransportMode(diskHandle: VixDiskLibHandle | null | undefined): string | null {
  try {
    return VixDiskLibHandle.of(diskHandle).disk.transport;
  } catch {
    return null;
  }
}
