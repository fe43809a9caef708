import type { VixDiskLibInfo } from '../types.js';

/**
 * Frees facts that {@link VixDiskLib_GetInfo} gave. JavaScript does; NULL is fine.
 */
export function VixDiskLib_FreeInfo(_info: VixDiskLibInfo | null | undefined): void {}
