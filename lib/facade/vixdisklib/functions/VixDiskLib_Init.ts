import type { VixError } from '../constants/codes.js';
import type { VixDiskLibGenericLogFunc } from '../types.js';
import { VixDiskLib_InitEx } from './VixDiskLib_InitEx.js';

/**
 * As {@link VixDiskLib_InitEx}, without a configuration file.
 * @param majorVersion From 1.
 * @param minorVersion From 0.
 * @param log Is told what happens, a line a call; NULL for nobody.
 * @param warn Never called.
 * @param panic Never called.
 * @param libDir Of no effect.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = VixDiskLib_Init(8, 0, console.log, console.warn, console.error, null);
 * ```
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
