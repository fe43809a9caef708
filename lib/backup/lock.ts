/**
 * One writer at a time in a backup folder: a lock file that says who holds it. A dead owner's lock is taken over; a unix
 * socket name in the kernel, which dies with its process, decides between two that would take it over at once.
 */
import { createHash, randomUUID } from 'node:crypto';
import { link, open, realpath, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { CbtError } from '../core/errors.js';
import { isAlive, type Owner, ownOwner } from '../processOwner.js';
import { readSmallFile } from './durable.js';
import { onFile } from './fileFault.js';

export const LOCK_NAME = 'lock.json';
const MAX_LOCK_BYTES = 4096;

const lockSchema = z.object({
  token: z.string(),
  since: z.string(),
  owner: z.object({
    pid: z.number().int().positive(),
    startTime: z.string(),
    bootId: z.string(),
    host: z.string(),
  }),
});
type Lock = z.infer<typeof lockSchema>;

/** Locks that this process holds: one of its own that is not among them was left where it could not be reached. */
const ownTokens = new Set<string>();

export interface HeldLock extends AsyncDisposable {
  release(): Promise<void>;
}

/** Takes the folder's lock, or says who has it (`BUSY`). */
export async function lockFolder(folder: string): Promise<HeldLock> {
  const path = join(folder, LOCK_NAME);
  const lock: Lock = {
    token: randomUUID(),
    since: new Date().toISOString(),
    owner: await ownOwner(),
  };
  if (!(await create(path, lock))) {
    const held = await readLock(path);
    if (held !== null && (await isInUse(held))) throw busy(path, held);
    await takeOver(folder, path, lock);
  }
  ownTokens.add(lock.token);
  const release = async (): Promise<void> => {
    ownTokens.delete(lock.token);
    const held = await readLock(path);
    if (held !== null && held !== 'damaged' && held.token === lock.token) {
      await onFile(path, 'removing', () => rm(path, { force: true }));
    }
  };
  return { release, [Symbol.asyncDispose]: release };
}

async function isInUse(held: Lock | 'damaged'): Promise<boolean> {
  if (held === 'damaged') return true;
  const { owner, token } = held;
  if (owner.pid === process.pid && owner.startTime === (await ownOwner()).startTime)
    return ownTokens.has(token);
  return (await isAlive(owner)) !== false;
}

/** False when somebody has it. The file appears with its content or not at all. */
async function create(path: string, lock: Lock): Promise<boolean> {
  const temporary = `${path}.${lock.token}`;
  return onFile(path, 'locking', async () => {
    try {
      const file = await open(temporary, 'wx', 0o640);
      await file.writeFile(`${JSON.stringify(lock)}\n`).finally(() => file.close());
      await link(temporary, path);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

async function readLock(path: string): Promise<Lock | 'damaged' | null> {
  const text = await readSmallFile(path, MAX_LOCK_BYTES);
  if (text === null) return null;
  try {
    const checked = lockSchema.safeParse(JSON.parse(text));
    return checked.success ? checked.data : 'damaged';
  } catch {
    return 'damaged';
  }
}

/** Of all that found the owner dead, the one that holds the socket name looks again and replaces the file. */
async function takeOver(folder: string, path: string, lock: Lock): Promise<void> {
  const guard = await listenAbstract(await realpath(folder));
  try {
    if (guard === null) throw busy(path, null);
    const held = await readLock(path);
    if (held !== null && (await isInUse(held))) throw busy(path, held);
    await onFile(path, 'removing', () => rm(path, { force: true }));
    if (!(await create(path, lock))) throw busy(path, null);
  } finally {
    if (guard !== null) await new Promise((resolve) => guard.close(resolve));
  }
}

/** A name in the abstract socket namespace; null when another process has it. */
function listenAbstract(folder: string): Promise<Server | null> {
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 32);
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(`\0qemu-cbt-lock-${name}`, () => resolve(server));
  });
}

function busy(path: string, held: Lock | 'damaged' | null): CbtError {
  const who =
    held === null
      ? 'another process is taking it over'
      : held === 'damaged'
        ? 'its content cannot be read; remove it when no backup runs'
        : `process ${held.owner.pid} on ${held.owner.host} works here since ${held.since}${ownHint(held.owner)}`;
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path}: ${who}`, {
    reason: 'BUSY',
    details: { path },
  });
}

function ownHint(owner: Owner): string {
  return owner.pid === process.pid ? ' (this very process)' : '';
}
