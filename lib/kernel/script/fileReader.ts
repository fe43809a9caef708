/** Reads from a descriptor of the caller at an offset, in whole. The descriptor's position is neither used nor moved. */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { CbtError, invalidArgument } from '../../core/errors.js';

const readAt = promisify(read);
const MAX_FD = 2 ** 31 - 1;

export function checkFd(argument: string, fd: number): void {
  if (!Number.isInteger(fd) || fd < 0 || fd > MAX_FD) {
    throw invalidArgument(argument, fd, `an integer from 0 to ${MAX_FD}`);
  }
}

/** As many of the bytes as the file has. `what` completes "reading … failed". */
export async function readUpTo(
  fd: number,
  offset: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  const buffer = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    let got: number;
    try {
      got = (await readAt(fd, buffer, filled, length - filled, offset + filled)).bytesRead;
    } catch (cause) {
      throw ioFailure(`reading ${what} at byte ${offset + filled}`, cause);
    }
    if (got === 0) break;
    filled += got;
  }
  return buffer.subarray(0, filled);
}

/** A failed system call as a coded error; `what` names the call. */
export function ioFailure(what: string, cause: unknown): CbtError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${what} failed: ${code}`, {
    cause,
    details: { errno: code },
  });
}
