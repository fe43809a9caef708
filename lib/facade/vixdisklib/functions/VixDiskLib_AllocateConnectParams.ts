import type { VixDiskLibConnectParams } from '../types.js';

/**
 * Empty parameters for a connection.
 */
export function VixDiskLib_AllocateConnectParams(): VixDiskLibConnectParams {
  return {};
}
