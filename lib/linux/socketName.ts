/**
 * A name for a unix socket that was bound in a folder of ours: whoever binds removes what has the name first, and so does whoever stops listening.
 * A link does neither. What others have there stays, however this ends.
 */
import { link, lstat, rm } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';
import { isMissing, onFile } from './fileFault.js';
import { connectUnix } from './unixSocket.js';

const ANSWERS_WITHIN_MS = 2_000;

/** Throws where the name is somebody’s: `ERR_CBT_INVALID_ARGUMENT` for a file, `BUSY` for a socket that is not dead. Null where there is nothing. */
export async function requireNameForSocket(argument: string, path: string): Promise<'dead' | null> {
  const found = await onFile(path, 'looking at it', () => lstat(path)).catch((error: unknown) => {
    if (error instanceof CbtError && isMissing(error.cause)) return null;
    throw error;
  });
  if (found === null) return null;
  if (!found.isSocket())
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `${argument}: ${path} is there already and no socket: name a new one`,
      { details: { argument, path } },
    );
  if (await isDead(path)) return 'dead';
  throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${argument}: somebody listens at ${path}`, {
    reason: 'BUSY',
    details: { argument, path },
  });
}

/** Names the socket that is bound at `bound`, which must stay there meanwhile. Disposing takes the name away, if it is still that socket’s. */
export async function nameSocket(argument: string, bound: string, path: string): Promise<AsyncDisposable> {
  if ((await requireNameForSocket(argument, path)) === 'dead')
    await onFile(path, 'removing the dead socket', () => rm(path, { force: true }));
  await onFile(path, 'naming the socket', () => link(bound, path));
  return {
    async [Symbol.asyncDispose]() {
      const [ours, its] = await Promise.all([bound, path].map((one) => lstat(one).catch(() => null)));
      if (ours != null && its != null && ours.dev === its.dev && ours.ino === its.ino) await rm(path);
    },
  };
}

/** Nobody listens any more; only a refusal says so. */
async function isDead(path: string): Promise<boolean> {
  try {
    (await connectUnix(path, 'what listens at', { timeoutMs: ANSWERS_WITHIN_MS })).destroy();
    return false;
  } catch (error) {
    return error instanceof CbtError && error.details['errno'] === 'ECONNREFUSED';
  }
}
