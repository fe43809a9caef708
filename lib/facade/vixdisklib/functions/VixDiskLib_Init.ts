import type { VixError } from '../constants/codes.js';
import type { VixDiskLibGenericLogFunc } from '../types.js';
import { VixDiskLib_InitEx } from './VixDiskLib_InitEx.js';

/**
 * As {@link VixDiskLib_InitEx}, without a configuration file.
 */
export function VixDiskLib_Init(
  majorVersion: number,
  minorVersion: number,
  log: VixDiskLibGenericLogFunc | null | undefined,
  warn: VixDiskLibGenericLogFunc | null | undefined,
  panic: VixDiskLibGenericLogFunc | null | undefined,
  libDir: string | null | undefined,
): VixError {
  return VixDiskLib_InitEx(majorVersion, minorVersion, log, warn, panic, libDir, null);
}
