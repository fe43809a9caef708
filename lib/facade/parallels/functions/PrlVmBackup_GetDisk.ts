import type { Ref } from '../../ref.js';
import { requireRef, requireUint32 } from '../arguments.js';
import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { Backup } from '../objects/backup.js';
import { give, take } from '../runtime.js';

/**
 * Opens a disk of the backup as it was at the instant, read-only. An index past the last disk is PRL_ERR_INVALID_ARG.
 * @param backup Handle of a backup.
 * @param index From 0.
 * @param disk Box for the disk.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const opened = ref<number>();
 * const code = await PrlVmBackup_GetDisk(backup, 0, opened);
 * ```
 */
export async function PrlVmBackup_GetDisk(
  backup: PRL_HANDLE,
  index: number,
  disk: Ref<PRL_HANDLE | undefined> | null,
): Promise<PRL_RESULT> {
  return callAsync(async () => {
    const opened = take('backup', backup, Backup);
    const out = requireRef('disk', disk);
    give(out, await opened.getDisk(requireUint32('index', index)));
  });
}
