import { PRL_ERR_UNIMPLEMENTED, type PRL_RESULT } from '../constants/results.js';

/**
 * Not implemented, as in the SDK: reads and writes are done when their promise is.
 */
export function PrlDisk_WaitForCompletion(..._parameters: unknown[]): PRL_RESULT {
  return PRL_ERR_UNIMPLEMENTED;
}
