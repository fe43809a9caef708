/** Types of handles (PrlEnums.h of the Virtuozzo SDK; the Desktop SDK gives some of these numbers to other types). */
import type { PRL_HANDLE } from './kinds.js';

/** No handle has this value; given to a call it is PRL_ERR_INVALID_ARG, as a policy of PrlDisk_OpenDisk_Local it means none. */
export const PRL_INVALID_HANDLE: PRL_HANDLE = 0;

export * from './generated/handleTypes.js';
export type { PRL_HANDLE } from './kinds.js';
