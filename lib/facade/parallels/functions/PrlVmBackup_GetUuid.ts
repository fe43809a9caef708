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
 * @param backup Handle of a backup.
 * @param uuid Takes the text, closed by a NUL; NULL to ask for its length.
 * @param length Box with the bytes of the buffer; holds those needed afterwards.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const length = ref(39);
 * const uuid = Buffer.alloc(length.value);
 * const code = PrlVmBackup_GetUuid(backup, uuid, length);
 * ```
 */
export function PrlVmBackup_GetUuid(
  backup: PRL_HANDLE,
  uuid: PrlBuffer | null,
  length: Ref<number>,
): PRL_RESULT {
  return call(() => copyString(take('backup', backup, Backup).uuid, uuid, length));
}
