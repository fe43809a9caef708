import type { VixDiskLibConnectParams } from '../types.js';

/**
 * Empty parameters for a connection.
 * @returns Parameters with nothing in them.
 * @example
 * ```ts
 * const params = VixDiskLib_AllocateConnectParams();
 * params.serverName = 'localhost';
 * ```
 */
export function VixDiskLib_AllocateConnectParams(): VixDiskLibConnectParams {
  return {};
}
