/** Failures of the file system as coded errors that name the file: a full disk or a vanished folder is not our bug. */
import { CbtError } from '../core/errors.js';

/** Runs file work; what the system refuses becomes `ERR_CBT_BACKEND_UNAVAILABLE` with the path and errno. */
export async function onFile<T>(path: string, doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof CbtError || !isSystemError(thrown)) throw thrown;
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path}: ${doing} failed: ${thrown.message}`, {
      details: { path, errno: thrown.code ?? null },
      cause: thrown,
    });
  }
}

/** Whether the error says that the file is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
