/**
 * The whole error taxonomy: a closed set of codes, and, where a chain of points in time was lost, a reason.
 * Not knowing is never "nothing changed": every doubt about a map ends here, never in a shorter answer.
 */

import {
  type CbtErrorCode,
  type CbtReason,
  type CbtRecovery,
  CODES,
  endsChain,
  REASONS,
  recoveryOf,
} from './errorCodes.js';
import type { DiskName } from './ids.js';

export type { CbtErrorCode, CbtReason, CbtRecovery } from './errorCodes.js';

/** Facts beside the message, for programs: names, values, limits. JSON-serialisable. */
export type CbtErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

/** What an error says beside code and message. */
export interface CbtErrorOptions {
  /** Why the chain was lost; absent when the failure has nothing to do with the chain. */
  reason?: CbtReason | undefined;
  /** The disk it is about, as the caller named it. */
  disk?: DiskName | undefined;
  /** Facts beside the message; none unless given. */
  details?: CbtErrorDetails | undefined;
  /** What was thrown inside. */
  cause?: unknown;
  /** Every disk of a call that did nothing, each with its error. */
  disks?: readonly DiskFailure[] | undefined;
}

/** A disk to which nothing was done, and why. */
export interface DiskFailure {
  /** Its name. */
  disk: DiskName;
  /** Why. */
  error: CbtError;
}

/** An error of one of these codes: a union that `code` narrows. A lost chain always has a reason. */
export type CbtErrorOf<C extends CbtErrorCode> = C extends unknown
  ? CbtError & { readonly code: C } & (C extends 'ERR_CBT_TRACKING_LOST'
        ? { readonly reason: CbtReason }
        : unknown)
  : never;

/** An error as JSON carries it: to other processes, to workers, into logs. No stack. */
export interface CbtErrorJson {
  /** Tells it from other errors. */
  name: 'CbtError';
  /** What went wrong. */
  code: CbtErrorCode;
  /** Why a chain is not whole. */
  reason?: CbtReason;
  /** The disk it is about. */
  disk?: DiskName;
  /** Follows from code and reason; `fromJSON` does not read it. */
  recovery: CbtRecovery;
  /** The same in words. */
  message: string;
  /** Facts beside the message, for programs. */
  details: CbtErrorDetails;
  /** Every disk of a call that did nothing. */
  disks?: { disk: string; error: CbtErrorJson }[];
  /** What was behind it: one of ours, or name, code and message of another error. */
  cause?: CbtErrorJson | CauseJson;
}

/** An error that is not ours, as JSON carries it. */
export interface CauseJson {
  /** Name of its class. */
  name: string;
  /** As the system or Node names it (`ENOENT`), where it has one. */
  code?: string;
  /** What it said. */
  message: string;
}

/** On every error of every copy of this library, in this thread. */
const BRAND = Symbol.for('qemu-cbt.CbtError');
/** Causes of causes that JSON carries; a ring of them ends here too. */
const MAX_CAUSES = 8;

/**
 * The one error class of the library. Facades translate it; nothing else is thrown on purpose.
 * @example
 * ```ts
 * try {
 *   await openDisk('/vm/disk.qcow2');
 * } catch (error) {
 *   if (!CbtError.is(error)) throw error;
 *   console.error(error.code, error.recovery, error.message);
 * }
 * ```
 */
export class CbtError extends Error {
  declare readonly name: 'CbtError';
  /** What went wrong. */
  readonly code: CbtErrorCode;
  /** Why a chain is not whole; absent where the failure has nothing to do with one. */
  declare readonly reason?: CbtReason;
  /** The disk it is about; absent where it is about none, or several. */
  declare readonly disk?: DiskName;
  /** Facts beside the message, for programs. */
  readonly details: CbtErrorDetails;
  /** Where a call on several disks did nothing: every disk of it, each with its error; `ERR_CBT_NOT_DONE` where others are to blame. */
  declare readonly disks?: readonly DiskFailure[];

  static {
    Object.defineProperty(CbtError.prototype, 'name', { value: 'CbtError', configurable: true });
    Object.defineProperty(CbtError.prototype, BRAND, { value: true });
  }

  /**
   * For code that hands on a failure of its own as one of the library's.
   * @param code What went wrong.
   * @param message With the field, its value and its limit.
   * @param options Reason, disk, details, cause.
   */
  constructor(code: CbtErrorCode, message: string, options: CbtErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.reason !== undefined) this.reason = options.reason;
    if (options.disk !== undefined) this.disk = options.disk;
    this.details = options.details ?? {};
    if (options.disks !== undefined) this.disks = options.disks;
  }

  /**
   * Whether it is an error of this library, also of another copy of it in the process; with `codes` whether it is of one of
   * them. From a worker or another process an error comes as JSON: {@link CbtError.fromJSON}.
   * @param value Anything.
   * @param codes Codes that count; any where none is given.
   * @returns Whether it is one, of another copy of this package too.
   */
  static is<C extends CbtErrorCode = CbtErrorCode>(value: unknown, ...codes: C[]): value is CbtErrorOf<C> {
    if (typeof value !== 'object' || value === null || !(BRAND in value)) return false;
    return codes.length === 0 || codes.some((code) => code === (value as unknown as CbtError).code);
  }

  /** `instanceof` is {@link CbtError.is}. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // A class made from this one is only itself.
    // biome-ignore lint/complexity/noThisInStatic: which class asks is what decides
    return this === CbtError ? CbtError.is(value) : Function.prototype[Symbol.hasInstance].call(this, value);
  }

  /**
   * The error that {@link CbtError.toJSON} made into this, parsed. Throws `ERR_CBT_INVALID_ARGUMENT` where it is none.
   * @param json What `toJSON` gave.
   * @returns The error again.
   */
  static fromJSON(json: unknown): CbtError {
    const { code, reason, disk, message, details = {}, disks, cause } = asObject('json', json);
    if (!CODES.some((one) => one === code))
      throw invalidArgument('json.code', code, 'a code of this library');
    if (reason !== undefined && !REASONS.some((one) => one === reason))
      throw invalidArgument('json.reason', reason, 'a reason of this library, or left out');
    if (disk !== undefined && typeof disk !== 'string')
      throw invalidArgument('json.disk', disk, 'a text, or left out');
    if (typeof message !== 'string') throw invalidArgument('json.message', message, 'a text');
    return new CbtError(code as CbtErrorCode, message, {
      ...(reason !== undefined && { reason: reason as CbtReason }),
      ...(disk !== undefined && { disk }),
      details: asObject('json.details', details) as CbtErrorDetails,
      ...(disks !== undefined && { disks: failuresFromJson(disks) }),
      ...(cause !== undefined && { cause: causeFromJson(cause) }),
    });
  }

  /** What to do about it; follows from code and reason. */
  get recovery(): CbtRecovery {
    return recoveryOf(this.code, this.reason);
  }

  /**
   * The same error, said about a disk; keeps a disk that is already named.
   * @param disk Name of the disk.
   * @returns The same error, said of that disk.
   */
  about(disk: string): CbtError {
    return this.disk === undefined ? retold(this, { disk }) : this;
  }

  /**
   * For other processes, workers and logs; {@link CbtError.fromJSON} is the way back.
   * @returns Plain data.
   */
  toJSON(): CbtErrorJson {
    return errorToJson(this, MAX_CAUSES);
  }
}

/** The same error in other words, or about another disk: where it was thrown and why stay. */
export function retold(
  error: CbtError,
  changes: Pick<CbtErrorOptions, 'disk' | 'disks' | 'details'> & { message?: string },
): CbtError {
  const { code, reason, cause } = error;
  const {
    message = error.message,
    disk = error.disk,
    disks = error.disks,
    details = error.details,
  } = changes;
  const told = new CbtError(code, message, {
    ...(reason !== undefined && { reason }),
    ...(disk !== undefined && { disk }),
    ...(disks !== undefined && { disks }),
    details,
    cause,
  });
  const { stack } = error;
  if (stack !== undefined && message === error.message)
    Object.defineProperty(told, 'stack', { value: stack, writable: true, configurable: true });
  return told;
}

/** Whether the error says that a chain of points in time cannot go on. What the core and its neighbours decide by; callers ask `recovery`. */
export function losesChain(error: unknown): error is CbtError & { readonly reason: CbtReason } {
  return error instanceof CbtError && endsChain(error.reason);
}

function errorToJson(error: CbtError, deep: number): CbtErrorJson {
  const { code, reason, disk, recovery, message, details, disks } = error;
  const cause = deep === 0 ? undefined : causeToJson(error.cause, deep - 1);
  return {
    name: 'CbtError',
    code,
    ...(reason !== undefined && { reason }),
    ...(disk !== undefined && { disk }),
    recovery,
    message,
    details,
    ...(disks && { disks: disks.map((one) => ({ disk: one.disk, error: errorToJson(one.error, 0) })) }),
    ...(cause !== undefined && { cause }),
  };
}

function causeToJson(cause: unknown, deep: number): CbtErrorJson | CauseJson | undefined {
  if (cause === undefined) return undefined;
  if (cause instanceof CbtError) return errorToJson(cause, deep);
  if (!(cause instanceof Error)) return { name: 'Error', message: String(cause) };
  const { name, message } = cause;
  const { code } = cause as { code?: unknown };
  return { name, ...(typeof code === 'string' && { code }), message };
}

function causeFromJson(json: unknown): Error {
  const { name, code, message } = asObject('json.cause', json);
  if (name === 'CbtError') return CbtError.fromJSON(json);
  const error = new Error(String(message));
  Object.defineProperty(error, 'name', { value: String(name), configurable: true });
  return typeof code === 'string' ? Object.assign(error, { code }) : error;
}

function failuresFromJson(json: unknown): DiskFailure[] {
  if (!Array.isArray(json)) throw invalidArgument('json.disks', json, 'a list');
  return json.map((one: unknown) => {
    const { disk, error } = asObject('json.disks', one);
    return { disk: String(disk), error: CbtError.fromJSON(error) };
  });
}

function asObject(argument: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw invalidArgument(argument, value, 'an object');
}

/** A chain that cannot answer: `TRACKING_LOST` with its reason and the way out in the message. */
export function trackingLost(
  reason: CbtReason,
  what: string,
  options: Omit<CbtErrorOptions, 'reason'> = {},
): CbtError {
  const way = endsChain(reason) ? 'take a full backup of this disk' : 'wait for whoever holds it';
  return new CbtError('ERR_CBT_TRACKING_LOST', `${what}; ${way}`, { ...options, reason });
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

/** Of any realm. */
export function isAbortSignal(value: unknown): value is AbortSignal {
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
  /** Why a chain is not whole. */
  reason: CbtReason;
  /** The same in words. */
  message: string;
}
