import type { VixDiskLibConnectParams } from '../types.js';

/**
 * Frees parameters of a connection. JavaScript does; the caller's own texts are never touched.
 */
export function VixDiskLib_FreeConnectParams(
  _connectParams: VixDiskLibConnectParams | null | undefined,
): void {}
