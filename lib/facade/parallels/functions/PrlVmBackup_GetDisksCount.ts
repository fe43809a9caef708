import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Backup } from '../objects/backup.js';
import { take } from '../runtime.js';

/**
 * Number of disks in the backup.
 * @param backup Handle of a backup.
 * @param count Box for how many there are.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const count = ref<number>();
 * const code = PrlVmBackup_GetDisksCount(backup, count);
 * ```
 */
export function PrlVmBackup_GetDisksCount(
  backup: PRL_HANDLE,
  count: Ref<number | undefined> | null,
): PRL_RESULT {
  return call(() => {
    const { disksCount } = take('backup', backup, Backup);
    requireRef('count', count).value = disksCount;
  });
}
