/** Codes that the calls answer, by VDDK's names (`VIX_…`), and the macros that look at them. */
import { VIX_OK } from './generated/codes.js';

export * from './generated/codes.js';

/** VIX_ERROR_CODE of vixDiskLib.h: the low 16 bits of a result are its code. */
export const VIX_ERROR_CODE = (error: number | bigint): number =>
  typeof error === 'bigint' ? Number(BigInt.asUintN(16, error)) : error & 0xffff;
/** VIX_SUCCEEDED of vixDiskLib.h: nothing but VIX_OK. VIX_ASYNC, the beginning of a success, is not one. */
export const VIX_SUCCEEDED = (error: number | bigint): boolean => !VIX_FAILED(error);
/** VIX_FAILED of vixDiskLib.h: everything but VIX_OK, VIX_ASYNC too. */
export const VIX_FAILED = (error: number | bigint): boolean => Number(error) !== VIX_OK;
