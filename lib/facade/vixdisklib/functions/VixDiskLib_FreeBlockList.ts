import { VIX_OK, type VixError } from '../constants/codes.js';
import type { VixDiskLibBlockList } from '../types.js';

/**
 * Frees a list that {@link VixDiskLib_QueryAllocatedBlocks} gave. JavaScript does; NULL is fine.
 * @param _blockList Of {@link VixDiskLib_QueryAllocatedBlocks}.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * VixDiskLib_FreeBlockList(list);
 * ```
 */
export function VixDiskLib_FreeBlockList(_blockList: VixDiskLibBlockList | null | undefined): VixError {
  return VIX_OK;
}
