import type { Ref } from '../../ref.js';
import { requireCount, requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { OffsetPolicy } from '../objects/openPolicy.js';
import { give, runtime } from '../runtime.js';

/**
 * A policy for PrlDisk_OpenDisk_Local: `byteOffset` is added to the offset of every read and write.
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
