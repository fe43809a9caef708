import { call } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { library } from '../library.js';
import type { VixDiskLibGenericLogFunc } from '../types.js';

/**
 * Initialises the library, once. Any version from 1.0 on is taken. `log` gets what calls fail with, and the lines by which importers tell
 * the library's version; `warn`, `panic`, `libDir` and `configFile` do nothing: there is nothing to warn of beyond the results, and
 * no setting of VDDK's transports applies.
 * @param majorVersion From 1.
 * @param minorVersion From 0.
 * @param log Is told what happens, a line a call; NULL for nobody.
 * @param _warn Never called.
 * @param _panic Never called.
 * @param _libDir Of no effect.
 * @param _configFile Of no effect.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const code = VixDiskLib_InitEx(8, 0, console.log);
 * ```
 */
export function VixDiskLib_InitEx(
  majorVersion: number,
  minorVersion: number,
  log: VixDiskLibGenericLogFunc | null | undefined,
  _warn: VixDiskLibGenericLogFunc | null | undefined = null,
  _panic: VixDiskLibGenericLogFunc | null | undefined = null,
  _libDir: string | null | undefined = null,
  _configFile: string | null | undefined = null,
): VixError {
  return call(() => library().initialise({ major: majorVersion, minor: minorVersion, log: log ?? null }));
}
