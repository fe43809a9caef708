/** One service for a host file: the kernel holds the lock for as long as the service is there. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { CbtError } from '../core/errors.js';
import { type HeldLock, tryHold } from '../linux/kernelLock.js';

/** `BUSY` where another service serves this file, with its process. */
export async function holdService(folder: string, hostFile: string): Promise<HeldLock> {
  const real = await realpath(hostFile);
  const file = join(folder, `serve-${createHash('sha256').update(real).digest('hex').slice(0, 16)}.lock`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await tryHold(file, { create: 0o600 });
  if (lock === null) {
    const who = (await readFile(file, 'utf8').catch(() => '')).trim() || 'another process';
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${real} is served already, by ${who}`, {
      reason: 'BUSY',
      details: { path: real, by: who },
    });
  }
  await lock.file.truncate(0);
  await lock.file.write(`process ${process.pid}\n`, 0);
  return lock;
}
