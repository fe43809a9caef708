import { PRL_ERR_UNIMPLEMENTED, type PRL_RESULT } from '../constants/results.js';

/**
 * Not implemented, as in the SDK: a disk shows the state that it was opened with.
 */
export function PrlDisk_SwitchToState(..._parameters: unknown[]): PRL_RESULT {
  return PRL_ERR_UNIMPLEMENTED;
}
