import type { Ref } from '../../ref.js';
import type { PrlBuffer } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Backup } from '../objects/backup.js';
import { take } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * UUID of the backup's point in time, with braces, through a buffer and its length; empty without PBMBF_CREATE_MAP.
 */
export function PrlVmBackup_GetUuid(
  backup: PRL_HANDLE,
  uuid: PrlBuffer | null,
  length: Ref<number>,
): PRL_RESULT {
  return call(() => copyString(take('backup', backup, Backup).uuid, uuid, length));
}
