import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED, type PRL_RESULT } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { Disk } from '../objects/disk.js';
import { takeAnyTime } from '../runtime.js';

/**
 * Not implemented, as in the SDK: reads and writes are done when their promise is. A handle of no disk is PRL_ERR_INVALID_ARG.
 * @param disk Handle of a disk.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlDisk_WaitForCompletion(disk);
 * ```
 */
export function PrlDisk_WaitForCompletion(disk: PRL_HANDLE): PRL_RESULT {
  return call(() => {
    takeAnyTime('disk', disk, Disk);
    throw new PrlError(
      PRL_ERR_UNIMPLEMENTED,
      'there is nothing to wait for but the promises of reads and writes',
    );
  });
}
