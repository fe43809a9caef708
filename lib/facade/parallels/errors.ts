/**
 * Errors of the facade. Inside, everything throws; at the border an SDK call answers with a number (`call.ts`). The core's codes are
 * mapped in one table that does not compile while one is missing.
 */
import { CbtError, type CbtErrorCode } from '../../core/errors.js';
import { ALIASES } from './constants/generated/aliases.js';
import type { PRL_RESULT } from './constants/results.js';
import * as results from './constants/results.js';

const NAMES: ReadonlyMap<PRL_RESULT, string> = new Map(
  Object.entries(results).flatMap(([name, value]) =>
    typeof value === 'number' && !ALIASES.has(name) ? [[value, name]] : [],
  ),
);

/** Name of a code as the header spells it; null for a number that is no code of ours. */
export function nameOf(result: PRL_RESULT): string | null {
  return NAMES.get(result | 0) ?? null;
}

/**
 * What an idiomatic call throws: the SDK's code by name and number, and what the core said.
 * @example
 * ```ts
 * const error = await openPrlDisk('/nowhere').catch((thrown: unknown) => thrown);
 * if (error instanceof PrlError && error.result === PRL_ERR_INVALID_ARG) console.log(error.message);
 * ```
 */
export class PrlError extends Error {
  override readonly name = 'PrlError';
  /** The name of the code: 'PRL_ERR_NO_DATA'. */
  readonly code: string;

  /**
   * The message says which argument, file or VM; `cause` is what the core threw.
   * @param result The code of the SDK.
   * @param message What happened, in words.
   * @param options `cause`: what was thrown inside.
   * @returns The error.
   */
  constructor(
    /** The PRL_RESULT: a negative 32-bit number. */
    readonly result: PRL_RESULT,
    message: string,
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
    this.code = nameOf(result) ?? `0x${(result >>> 0).toString(16)}`;
  }

  /** Why tracking was lost, where that is the reason. */
  get reason(): string | undefined {
    return this.cause instanceof CbtError ? this.cause.reason : undefined;
  }
}

export function invalid(argument: string, expected: string): PrlError {
  return new PrlError(results.PRL_ERR_INVALID_ARG, `${argument} must be ${expected}`);
}

const RESULT: Record<CbtErrorCode, PRL_RESULT> = {
  ERR_CBT_INVALID_ARGUMENT: results.PRL_ERR_INVALID_ARG,
  ERR_CBT_CLOSED: results.PRL_ERR_UNINITIALIZED,
  ERR_CBT_UNKNOWN_PIT: results.PRL_ERR_NO_DATA,
  ERR_CBT_TRACKING_LOST: results.PRL_ERR_NO_DATA,
  ERR_CBT_MAP_MISMATCH: results.PRL_ERR_NO_DATA,
  ERR_CBT_UNSUPPORTED: results.PRL_ERR_UNIMPLEMENTED,
  ERR_CBT_BACKEND_UNAVAILABLE: results.PRL_ERR_FAILURE,
  ERR_CBT_CONNECTION_LOST: results.PRL_ERR_FAILURE,
  ERR_CBT_TIMEOUT: results.PRL_ERR_TIMEOUT,
  ERR_CBT_BACKEND_PROTOCOL: results.PRL_ERR_FAILURE,
  ERR_CBT_CORRUPT_IMAGE: results.PRL_ERR_DISK_INVALID_FORMAT,
  ERR_CBT_NOT_DONE: results.PRL_ERR_FAILURE,
  ERR_CBT_ABORTED: results.PRL_ERR_OPERATION_WAS_CANCELED,
  ERR_CBT_INTERNAL: results.PRL_ERR_UNEXPECTED,
};

/** Any failure as an error of this facade; `otherwise` is the code where the SDK knows one for the whole operation. */
export function toPrlError(thrown: unknown, otherwise?: PRL_RESULT): PrlError {
  if (thrown instanceof PrlError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (!(thrown instanceof CbtError))
    return new PrlError(otherwise ?? results.PRL_ERR_UNEXPECTED, message, { cause: thrown });
  const reason = thrown.reason === undefined ? '' : ` [${thrown.reason}]`;
  const cancelled = thrown.code === 'ERR_CBT_ABORTED';
  const result = cancelled ? RESULT[thrown.code] : (otherwise ?? RESULT[thrown.code]);
  return new PrlError(result, `${message}${reason}`, { cause: thrown });
}
