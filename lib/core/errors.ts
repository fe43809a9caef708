/**
 * The whole error taxonomy: a closed set of codes, and, where a chain of points in time was lost, a reason.
 * Not knowing is never "nothing changed": every doubt about a map ends here, never in a shorter answer.
 */

/** What went wrong, by what the caller can do about it. */
export type CbtErrorCode =
  | 'ERR_CBT_INVALID_ARGUMENT' // fix the call
  | 'ERR_CBT_CLOSED' // the object was closed: fix the call
  | 'ERR_CBT_UNKNOWN_PIT' // take a full backup
  | 'ERR_CBT_TRACKING_LOST' // take a full backup
  | 'ERR_CBT_MAP_MISMATCH' // size or granularity does not fit: take a full backup
  | 'ERR_CBT_UNSUPPORTED' // a limit of QEMU or of ours
  | 'ERR_CBT_BACKEND_UNAVAILABLE' // could not ask: retry
  | 'ERR_CBT_TIMEOUT' // no answer in time: retry
  | 'ERR_CBT_BACKEND_PROTOCOL' // an answer that breaks its own rules: stop, report
  | 'ERR_CBT_CORRUPT_IMAGE' // a file that breaks its own rules: stop, report
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

/** Facts beside the message, for programs: names, values, limits. JSON-serialisable. */
export type CbtErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

/** What an error says beside code and message. */
export interface CbtErrorOptions {
  /** Why the chain was lost; absent when the failure has nothing to do with the chain. */
  reason?: CbtReason;
  /** The disk it is about, as the caller named it. */
  disk?: string;
  details?: CbtErrorDetails;
  cause?: unknown;
}

/** Reasons after which only a full backup can go on. `BUSY` passes by itself. */
const LOST: ReadonlySet<CbtReason> = new Set<CbtReason>([
  'CRASHED',
  'MISSING',
  'UNKNOWN_PIT',
  'OTHER_EPOCH',
  'NOT_RECORDING',
  'OVERLAY',
  'GRANULARITY',
  'SIZE',
  'VOLATILE',
  'FORMAT',
  'FOREIGN',
]);

/** The one error class of the library. Facades translate it; nothing else is thrown on purpose. */
export class CbtError extends Error {
  override readonly name = 'CbtError' as const;
  readonly code: CbtErrorCode;
  readonly reason?: CbtReason;
  readonly disk?: string;
  readonly details: CbtErrorDetails;

  /** For code that hands on a failure of its own as one of the library's. */
  constructor(code: CbtErrorCode, message: string, options: CbtErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.reason !== undefined) this.reason = options.reason;
    if (options.disk !== undefined) this.disk = options.disk;
    this.details = options.details ?? {};
  }

  /** True when the way out is a full backup of this disk. */
  get fullBackupNeeded(): boolean {
    return this.reason !== undefined && LOST.has(this.reason);
  }

  /** The same error, said about a disk; keeps a disk that is already named. */
  about(disk: string): CbtError {
    if (this.disk !== undefined) return this;
    return new CbtError(this.code, this.message, {
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      disk,
      details: this.details,
      cause: this.cause ?? this,
    });
  }

  /** What `--json` and the facades hand on: no stack, no cause. */
  toJSON(): {
    code: CbtErrorCode;
    reason?: CbtReason;
    disk?: string;
    message: string;
    details: CbtErrorDetails;
  } {
    return {
      code: this.code,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      ...(this.disk === undefined ? {} : { disk: this.disk }),
      message: this.message,
      details: this.details,
    };
  }
}

/** A chain that cannot answer: `TRACKING_LOST` with its reason and the way out in the message. */
export function trackingLost(
  reason: CbtReason,
  what: string,
  options: Omit<CbtErrorOptions, 'reason'> = {},
): CbtError {
  return new CbtError('ERR_CBT_TRACKING_LOST', `${what}; take a full backup of this disk`, {
    ...options,
    reason,
  });
}

/** The caller's mistake: names the argument, the value received and what it must be. */
export function invalidArgument(argument: string, received: unknown, expected: string): CbtError {
  const shown = describe(received);
  return new CbtError('ERR_CBT_INVALID_ARGUMENT', `${argument} is ${shown}, expected ${expected}`, {
    details: { argument, received: shown, expected },
  });
}

/** An AbortSignal, of any realm. Its controller in its place is the commonest slip, and would never fire. */
export function requireAbortSignal(argument: string, value: unknown): asserts value is AbortSignal {
  if (isAbortSignal(value)) return;
  const controller = typeof value === 'object' && value !== null && 'signal' in value;
  const expected = 'an AbortSignal';
  throw invalidArgument(
    argument,
    value,
    controller && isAbortSignal(value.signal) ? `${expected}: the controller’s .signal` : expected,
  );
}

function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return (
    typeof aborted === 'boolean' &&
    typeof addEventListener === 'function' &&
    typeof removeEventListener === 'function'
  );
}

/** Throws the coded form of an aborted signal, and for what is no signal at all. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  requireAbortSignal('signal', signal);
  if (signal.aborted)
    throw new CbtError('ERR_CBT_ABORTED', 'cancelled by the caller', { cause: signal.reason });
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  if (value === null || value === undefined) return String(value);
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Why a chain, or a layer, cannot answer: the reason code, and the same in words. */
export interface Problem {
  reason: CbtReason;
  message: string;
}
