import { call } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { library } from '../library.js';
import type { VixDiskLibGenericLogFunc } from '../types.js';

/**
 * Initialises the library, once. Any version from 1.0 on is taken. `log` gets what calls fail with, and the lines by which importers tell
 * the library's version; `warn`, `panic`, `libDir` and `configFile` do nothing: there is nothing to warn of beyond the results, and
 * no setting of VDDK's transports applies.
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
