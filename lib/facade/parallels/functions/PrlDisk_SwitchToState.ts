import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED, type PRL_RESULT } from '../constants/results.js';
import { invalid, PrlError } from '../errors.js';
import { Disk } from '../objects/disk.js';
import { takeAnyTime } from '../runtime.js';

/**
 * Not implemented, as in the SDK. A handle of no disk, and NULL for the state, are PRL_ERR_INVALID_ARG.
 * @param disk Handle of a disk.
 * @param _directory Not looked at.
 * @param state A UUID.
 * @param _callback Not looked at.
 * @param _parameter Not looked at.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const code = PrlDisk_SwitchToState(disk, null, '{3f2504e0-4f89-11d3-9a0c-0305e82c3301}');
 * ```
 */
export function PrlDisk_SwitchToState(
  disk: PRL_HANDLE,
  _directory: string | null | undefined,
  state: string | null | undefined,
  _callback: unknown = null,
  _parameter: unknown = null,
): PRL_RESULT {
  return call(() => {
    takeAnyTime('disk', disk, Disk);
    if (state == null) throw invalid('state', 'a UUID');
    throw new PrlError(
      PRL_ERR_UNIMPLEMENTED,
      'a disk is what it is: the states of its layers are not switched',
    );
  });
}
