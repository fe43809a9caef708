/**
 * Exit codes, stable for scripts: 0 done, 2 usage, 3 tracking lost or unknown point in time (take a full backup), 4 corrupt
 * image or broken protocol, 5 could not reach QEMU, file or lock, 6 all done, and it is not as it was wanted, 1 our bug. A cancelled command ends with 130, one
 * that a signal ended with 128 and the signal's number, as shells do.
 */
import type { CbtError, CbtErrorCode } from '../core/errors.js';

const EXIT: Record<CbtErrorCode, number> = {
  ERR_CBT_INVALID_ARGUMENT: 2,
  // A session that has ended, as a command names it.
  ERR_CBT_CLOSED: 2,
  ERR_CBT_UNKNOWN_PIT: 3,
  ERR_CBT_TRACKING_LOST: 3,
  ERR_CBT_MAP_MISMATCH: 3,
  ERR_CBT_UNSUPPORTED: 4,
  ERR_CBT_BACKEND_UNAVAILABLE: 5,
  ERR_CBT_CONNECTION_LOST: 5,
  ERR_CBT_TIMEOUT: 5,
  ERR_CBT_BACKEND_PROTOCOL: 4,
  ERR_CBT_CORRUPT_IMAGE: 4,
  // Beside the error of a disk that refused, which is the one that counts.
  ERR_CBT_NOT_DONE: 2,
  ERR_CBT_ABORTED: 130,
  ERR_CBT_INTERNAL: 1,
};

/** Nothing failed, and what was asked for is not there: a backup that is too old, full where an incremental one was wanted, or without one of the disks. */
export const NOT_AS_WANTED = 6;

export function exitCodeOf(error: CbtError): number {
  return error.recovery === 'full' ? 3 : EXIT[error.code];
}

/** The worse of two exit codes: what failed goes before what is only not as wanted. */
export function worseOf(one: number, other: number): number {
  const rank = (code: number): number => (code === NOT_AS_WANTED ? 0.5 : code);
  return rank(other) > rank(one) ? other : one;
}
