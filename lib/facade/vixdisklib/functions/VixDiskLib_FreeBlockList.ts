import { VIX_OK, type VixError } from '../constants/codes.js';
import type { VixDiskLibBlockList } from '../types.js';

/**
 * Frees a list that {@link VixDiskLib_QueryAllocatedBlocks} gave. JavaScript does; NULL is fine.
 */
export function VixDiskLib_FreeBlockList(_blockList: VixDiskLibBlockList | null | undefined): VixError {
  return VIX_OK;
}
