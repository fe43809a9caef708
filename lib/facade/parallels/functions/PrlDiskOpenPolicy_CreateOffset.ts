import type { Ref } from '../../ref.js';
import { requireCount, requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { OffsetPolicy } from '../objects/openPolicy.js';
import { give, runtime } from '../runtime.js';

/**
 * A policy for PrlDisk_OpenDisk_Local: `byteOffset` is added to the offset of every read and write.
 * @param policy Box for the policy.
 * @param byteOffset Bytes, by which every read and write of the disk is moved.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const policy = ref<number>();
 * const code = PrlDiskOpenPolicy_CreateOffset(policy, 1_048_576);
 * ```
 */
export function PrlDiskOpenPolicy_CreateOffset(
  policy: Ref<PRL_HANDLE | undefined> | null,
  byteOffset: number | bigint,
): PRL_RESULT {
  return call(() => {
    runtime().requireInitialised();
    give(requireRef('policy', policy), new OffsetPolicy(requireCount('byteOffset', byteOffset)));
  });
}
