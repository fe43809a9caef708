import type { VixDiskLibConnectParams } from '../types.js';

/**
 * Frees parameters of a connection. JavaScript does; the caller's own texts are never touched.
 * @param _connectParams How to connect, and to which VM.
 * @returns Nothing: there is nothing to free.
 * @example
 * ```ts
 * VixDiskLib_FreeConnectParams(params);
 * ```
 */
export function VixDiskLib_FreeConnectParams(
  _connectParams: VixDiskLibConnectParams | null | undefined,
): void {}
