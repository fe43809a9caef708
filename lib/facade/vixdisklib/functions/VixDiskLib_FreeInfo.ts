import type { VixDiskLibInfo } from '../types.js';

/**
 * Frees facts that {@link VixDiskLib_GetInfo} gave. JavaScript does; NULL is fine.
 * @param _info Of {@link VixDiskLib_GetInfo}.
 * @returns Nothing: there is nothing to free.
 * @example
 * ```ts
 * VixDiskLib_FreeInfo(info.value);
 * ```
 */
export function VixDiskLib_FreeInfo(_info: VixDiskLibInfo | null | undefined): void {}
