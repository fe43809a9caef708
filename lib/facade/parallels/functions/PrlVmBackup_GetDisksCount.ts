import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Backup } from '../objects/backup.js';
import { take } from '../runtime.js';

/**
 * Number of disks in the backup.
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
