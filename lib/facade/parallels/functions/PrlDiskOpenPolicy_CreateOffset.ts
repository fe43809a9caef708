import type { Ref } from '../../ref.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { call } from '../errors.js';
import { OffsetPolicy } from '../objects/openPolicy.js';
import { give, requireCount, requireInitialised, requireRef } from '../runtime.js';

/**
 * A policy for PrlDisk_OpenDisk_Local: `byteOffset` is added to the offset of every read and write.
 */
export function PrlDiskOpenPolicy_CreateOffset(
  policy: Ref<PRL_HANDLE | undefined> | null,
  byteOffset: number | bigint,
): PRL_RESULT {
  return call(() => {
    requireInitialised();
    give(requireRef('policy', policy), new OffsetPolicy(requireCount('byteOffset', byteOffset)));
  });
}
