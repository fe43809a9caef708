/** The closed sets of the error taxonomy: what went wrong, why a chain was lost, and, made from both in one table, the way out. */

/** What went wrong. */
export type CbtErrorCode =
  | 'ERR_CBT_INVALID_ARGUMENT' // an argument is not what it must be
  | 'ERR_CBT_CLOSED' // the object was closed
  | 'ERR_CBT_UNKNOWN_PIT' // no such point in time
  | 'ERR_CBT_TRACKING_LOST' // a chain is not whole; always with a reason
  | 'ERR_CBT_MAP_MISMATCH' // size or granularity does not fit
  | 'ERR_CBT_UNSUPPORTED' // a limit of QEMU or of ours
  | 'ERR_CBT_BACKEND_UNAVAILABLE' // could not ask
  | 'ERR_CBT_CONNECTION_LOST' // what was open is gone, and not by us
  | 'ERR_CBT_TIMEOUT' // no answer in time
  | 'ERR_CBT_BACKEND_PROTOCOL' // an answer that breaks its own rules
  | 'ERR_CBT_CORRUPT_IMAGE' // a file that breaks its own rules
  | 'ERR_CBT_NOT_DONE' // nothing was done to this disk, because another one refused
  | 'ERR_CBT_ABORTED' // the caller's AbortSignal
  | 'ERR_CBT_INTERNAL'; // our bug

/** Why a chain cannot answer. */
export type CbtReason =
  | 'CRASHED' // a bitmap is in_use or inconsistent: its writer did not close the image
  | 'MISSING' // a segment between two points is gone
  | 'UNKNOWN_PIT' // no such point in time on this disk
  | 'OTHER_EPOCH' // the point belongs to a history that ended
  | 'NOT_RECORDING' // the last segment does not record
  | 'OVERLAY' // the segments sit below a layer that took the writes since
  | 'GRANULARITY' // granularities that cannot be combined
  | 'SIZE' // the disk shrank and grew again: bits were dropped
  | 'VOLATILE' // the segments were not persistent and the VM restarted
  | 'FORMAT' // a format that cannot hold bitmaps, or flags we do not know
  | 'BUSY' // somebody holds the image, the bitmap or the session
  | 'FOREIGN'; // a bitmap that is not ours cannot answer this

/**
 * The way out of an error: `full` a full backup of the disk; `retry` the same call again, later; `reconnect` connect or open anew, then the
 * same call; `fix` the call, or what it was asked of; `report` stop, and tell whoever can look into it; `none` nothing is to be done.
 */
export type CbtRecovery = 'full' | 'retry' | 'reconnect' | 'fix' | 'report' | 'none';

/** By reason; `else` where there is none, or one that is not named. */
type ByReason = Readonly<{ else: CbtRecovery } & Partial<Record<CbtReason | 'otherReason', CbtRecovery>>>;

/** `otherReason`: every reason that is not named. */
const TABLE: Readonly<Record<CbtErrorCode, CbtRecovery | ByReason>> = {
  ERR_CBT_INVALID_ARGUMENT: 'fix',
  ERR_CBT_CLOSED: { else: 'fix', BUSY: 'retry' },
  ERR_CBT_UNKNOWN_PIT: { else: 'full', BUSY: 'retry' },
  ERR_CBT_TRACKING_LOST: { else: 'full', BUSY: 'retry' },
  ERR_CBT_MAP_MISMATCH: { else: 'full', BUSY: 'retry' },
  // A disk or a QEMU that cannot do it: a full backup would end at the same limit.
  ERR_CBT_UNSUPPORTED: { else: 'fix', BUSY: 'retry' },
  // OVERLAY: what the guest wrote waits in a file beside the image, and is lost to a backup of the image alone.
  ERR_CBT_BACKEND_UNAVAILABLE: { else: 'retry', OVERLAY: 'fix' },
  // Lost is not closed: the caller did nothing wrong, and what is open now will never answer again.
  ERR_CBT_CONNECTION_LOST: 'reconnect',
  ERR_CBT_TIMEOUT: 'retry',
  ERR_CBT_BACKEND_PROTOCOL: { else: 'report', BUSY: 'retry' },
  // With a reason it is bitmaps that are broken, and not the data.
  ERR_CBT_CORRUPT_IMAGE: { else: 'report', BUSY: 'retry', otherReason: 'full' },
  // Without the disks that refused it is done.
  ERR_CBT_NOT_DONE: 'fix',
  ERR_CBT_ABORTED: 'none',
  ERR_CBT_INTERNAL: 'report',
};

/** The one place that says what to do about an error. */
export function recoveryOf(code: CbtErrorCode, reason?: CbtReason): CbtRecovery {
  const ways = TABLE[code];
  if (typeof ways === 'string') return ways;
  if (reason === undefined) return ways.else;
  return ways[reason] ?? ways.otherReason ?? ways.else;
}

/** Every code, in the order of the table. */
export const CODES = Object.keys(TABLE) as readonly CbtErrorCode[];

const LOST: Readonly<Record<CbtReason, boolean>> = {
  CRASHED: true,
  MISSING: true,
  UNKNOWN_PIT: true,
  OTHER_EPOCH: true,
  NOT_RECORDING: true,
  OVERLAY: true,
  GRANULARITY: true,
  SIZE: true,
  VOLATILE: true,
  FORMAT: true,
  // Passes by itself.
  BUSY: false,
  FOREIGN: true,
};

/** Every reason. */
export const REASONS = Object.keys(LOST) as [CbtReason, ...CbtReason[]];

/** Whether the reason says that the chain itself cannot go on, whatever becomes of the call. */
export function endsChain(reason: CbtReason | undefined): boolean {
  return reason !== undefined && LOST[reason];
}
