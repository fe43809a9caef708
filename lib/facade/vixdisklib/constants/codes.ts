/** Codes that the calls answer, by VDDK's names (`VIX_…`), and the macros that look at them. */
import { VIX_OK } from './generated/codes.js';

export * from './generated/codes.js';

/**
 * VIX_ERROR_CODE of vixDiskLib.h.
 * @param error Result of any call.
 * @returns Its code, the low 16 bits.
 * @example
 * ```ts
 * const isFull = VIX_ERROR_CODE(await VixDiskLib_Flush(handle)) === VIX_E_DISK_FULL;
 * ```
 */
export const VIX_ERROR_CODE = (error: number | bigint): number =>
  typeof error === 'bigint' ? Number(BigInt.asUintN(16, error)) : error & 0xffff;
/**
 * VIX_SUCCEEDED of vixDiskLib.h: nothing but VIX_OK. VIX_ASYNC, the beginning of a success, is not one.
 * @param error Result of any call.
 * @returns Whether it is a success.
 * @example
 * ```ts
 * if (VIX_SUCCEEDED(await VixDiskLib_Flush(handle))) console.log('safe');
 * ```
 */
export const VIX_SUCCEEDED = (error: number | bigint): boolean => !VIX_FAILED(error);
/**
 * VIX_FAILED of vixDiskLib.h: everything but VIX_OK, VIX_ASYNC too.
 * @param error Result of any call.
 * @returns Whether it is an error.
 * @example
 * ```ts
 * if (VIX_FAILED(await VixDiskLib_Flush(handle))) process.exitCode = 1;
 * ```
 */
export const VIX_FAILED = (error: number | bigint): boolean => Number(error) !== VIX_OK;
