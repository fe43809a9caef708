/** From what goes wrong inside to the code a call answers, in one table that does not compile while a core code is missing. */
import { CbtError, type CbtErrorCode } from '../../core/errors.js';
import type { VixError } from './constants/codes.js';
import * as codes from './constants/codes.js';

/** A refusal that has its code already. */
export class VixFailure extends Error {
  constructor(
    readonly code: VixError,
    message: string,
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
  }
}

export function invalid(argument: string, expected: string): VixFailure {
  return new VixFailure(codes.VIX_E_INVALID_ARG, `${argument} must be ${expected}`);
}

const CODE: Record<CbtErrorCode, VixError> = {
  ERR_CBT_INVALID_ARGUMENT: codes.VIX_E_INVALID_ARG,
  ERR_CBT_CLOSED: codes.VIX_E_INVALID_HANDLE,
  ERR_CBT_UNKNOWN_PIT: codes.VIX_E_NOT_FOUND,
  ERR_CBT_TRACKING_LOST: codes.VIX_E_NOT_FOUND,
  ERR_CBT_MAP_MISMATCH: codes.VIX_E_DISK_INVAL,
  ERR_CBT_UNSUPPORTED: codes.VIX_E_NOT_SUPPORTED,
  ERR_CBT_BACKEND_UNAVAILABLE: codes.VIX_E_FILE_ERROR,
  ERR_CBT_CONNECTION_LOST: codes.VIX_E_FILE_ERROR,
  ERR_CBT_TIMEOUT: codes.VIX_E_HOST_CONNECTION_LOST,
  ERR_CBT_BACKEND_PROTOCOL: codes.VIX_E_DISK_NOIO,
  ERR_CBT_CORRUPT_IMAGE: codes.VIX_E_DISK_INVALIDDISK,
  ERR_CBT_NOT_DONE: codes.VIX_E_FAIL,
  ERR_CBT_ABORTED: codes.VIX_E_CANCELLED,
  ERR_CBT_INTERNAL: codes.VIX_E_FAIL,
};

const ERRNO: Readonly<Record<string, VixError>> = {
  ENOENT: codes.VIX_E_FILE_NOT_FOUND,
  EACCES: codes.VIX_E_FILE_ACCESS_ERROR,
  EPERM: codes.VIX_E_FILE_ACCESS_ERROR,
  EEXIST: codes.VIX_E_FILE_ALREADY_EXISTS,
  ENOSPC: codes.VIX_E_DISK_FULL,
  EROFS: codes.VIX_E_FILE_READ_ONLY,
};

export function codeOf(thrown: unknown): VixError {
  if (thrown instanceof VixFailure) return thrown.code;
  if (thrown instanceof CbtError) {
    const errno = thrown.details['errno'];
    if (typeof errno === 'string' && ERRNO[errno] !== undefined) return ERRNO[errno];
    return thrown.reason === 'BUSY' ? codes.VIX_E_FILE_ALREADY_LOCKED : CODE[thrown.code];
  }
  const { code: errno, syscall } = (thrown ?? {}) as NodeJS.ErrnoException;
  const known = typeof errno === 'string' ? ERRNO[errno] : undefined;
  return known ?? (syscall === undefined ? codes.VIX_E_FAIL : codes.VIX_E_FILE_ERROR);
}
