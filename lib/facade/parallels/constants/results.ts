/**
 * Result codes of the Virtuozzo SDK (PrlErrorsValues.h). A PRL_RESULT is a signed 32-bit number: an error named with number
 * N is 0x80000000 + 0xN, the decimal digits read as hexadecimal, so every error is negative and every success is not.
 */

import type { PRL_RESULT } from './kinds.js';

export * from './generated/results.js';
export type { PRL_RESULT } from './kinds.js';

/**
 * PRL_SUCCEEDED of PrlErrors.h.
 * @param result Of any call.
 * @returns Whether it is a success.
 * @example
 * ```ts
 * if (PRL_SUCCEEDED(await PrlDisk_FlushCache(disk))) console.log('safe');
 * ```
 */
export const PRL_SUCCEEDED = (result: PRL_RESULT): boolean => result >= 0;

/**
 * PRL_FAILED of PrlErrors.h.
 * @param result Of any call.
 * @returns Whether it is an error.
 * @example
 * ```ts
 * if (PRL_FAILED(await PrlDisk_FlushCache(disk))) process.exitCode = 1;
 * ```
 */
export const PRL_FAILED = (result: PRL_RESULT): boolean => result < 0;
