/**
 * Who works in a backup folder. One writer holds `lock.json`, whether he adds or removes; any number of readers hold
 * `reading.json`, and whoever changes what is there already (a prune, a merge) holds that alone as well. The kernel holds the
 * locks, on these files, so they end with their process however that ends; what a file says is for messages, and for file
 * systems that do not show the kernel's lock to other machines.
 */
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CbtError } from '../core/errors.js';
import { type HeldLock, type LockMode, tryHold } from '../linux/kernelLock.js';
import { locksMayStayHere, mayBeUnseen } from '../linux/lockReach.js';
import { thisMachine } from '../linux/machine.js';
import { readSmallFile, syncFolder } from './durable.js';
import { onFile } from './fileFault.js';

export const LOCK_NAME = 'lock.json';
/** Held by readers together, and alone by whoever takes something away that they may be reading. */
export const READERS_NAME = 'reading.json';
const MAX_LOCK_BYTES = 4096;

const recordSchema = z.object({
  since: z.string(),
  owner: z.object({
    pid: z.number().int().positive(),
    host: z.string(),
    bootId: z.string(),
    machineId: z.string().optional(),
  }),
});
type LockRecord = z.infer<typeof recordSchema>;

/** A folder that is ours to write, or to read while nobody writes. */
export interface LockedFolder extends AsyncDisposable {
  /** False for a reader in a folder that can be given no lock: nothing keeps a prune out. */
  isHeld: boolean;
  release(): Promise<void>;
}

export interface LockFolderOptions {
  /** For reading: others may read too, nobody may write. A folder that this process cannot write to is read without a lock. */
  shared?: boolean;
  /** Which of the two locks; `lock.json` unless given. */
  name?: typeof LOCK_NAME | typeof READERS_NAME;
}

/** Takes the folder's lock, or says who has it (`BUSY`). */
export async function lockFolder(
  folder: string,
  { shared = false, name = LOCK_NAME }: LockFolderOptions = {},
): Promise<LockedFolder> {
  const path = join(folder, name);
  const lock = await hold(path, shared ? 'shared' : 'exclusive');
  if (lock === null) return unlocked();
  try {
    await requireNobodyElsewhere(path, lock);
    await note(path, lock, shared ? null : { since: new Date().toISOString(), owner: await ourselves() });
  } catch (error) {
    await lock.release();
    throw error;
  }
  const release = async (): Promise<void> => {
    // What is left where the system refuses to remove it says nothing, and is nobody's.
    await lock.file.truncate(0).catch(() => undefined);
    await lock.remove().catch(() => undefined);
  };
  return { isHeld: true, release, [Symbol.asyncDispose]: release };
}

/** Null for a reader in a folder that has no lock and cannot be given one. */
async function hold(path: string, mode: LockMode): Promise<HeldLock | null> {
  try {
    const lock = await tryHold(path, { mode, create: 0o640 });
    if (lock !== null) return lock;
  } catch (error) {
    if (mode === 'shared' && error instanceof CbtError && mayReadUnlocked(error)) return null;
    throw error;
  }
  const record = await readSmallFile(path, MAX_LOCK_BYTES).then(parse, () => null);
  throw busy(path, record === null ? 'another process works here, or reads the backups' : describe(record));
}

/**
 * A folder that cannot be written to, and no file in it; a full one; a file system or a machine without locks. Nobody is kept
 * from his data by that: every byte is checked as it is read, and a prune that comes in between makes it fail.
 */
function mayReadUnlocked({ code, details }: CbtError): boolean {
  return code === 'ERR_CBT_UNSUPPORTED' || NO_LOCK_FILE.includes(String(details['errno']));
}
const NO_LOCK_FILE: readonly string[] = ['EROFS', 'EACCES', 'EPERM', 'ENOENT', 'ENOSPC', 'EDQUOT'];

/** We have the kernel's lock; where it does not reach other machines, another one's record counts. */
async function requireNobodyElsewhere(path: string, lock: HeldLock): Promise<void> {
  const record = parse(await onFile(path, 'reading', () => textOf(lock)));
  if (record === null || !(await mayBeUnseen(path, record.owner))) return;
  throw busy(
    path,
    `${describe(record)}; whether it still does cannot be seen from here, because this file system does not show locks to other machines: ` +
      'look there, and remove the file when no backup or prune of this folder runs',
  );
}

async function textOf({ file }: HeldLock): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_LOCK_BYTES), 0, MAX_LOCK_BYTES, 0);
  return buffer.toString('utf8', 0, bytesRead);
}

/** Writes who holds it, in place; null: whoever it says is gone. On stable storage before any work that it stands for. */
async function note(path: string, { file }: HeldLock, record: LockRecord | null): Promise<void> {
  try {
    await file.truncate(0);
    if (record === null) return;
    await file.write(`${JSON.stringify(record)}\n`, 0);
    await file.sync();
  } catch (error) {
    const errno = error instanceof Error && 'code' in error ? String(error.code) : '';
    // The kernel's lock is what counts: a reader need not write, and a full disk is what a prune is for.
    const full = ['ENOSPC', 'EDQUOT'].includes(errno) && !(await locksMayStayHere(path));
    if (record === null || full) return;
    await onFile(path, 'locking', () => Promise.reject(error));
  }
  await syncFolder(dirname(path));
}

async function ourselves(): Promise<LockRecord['owner']> {
  return { pid: process.pid, ...(await thisMachine()) };
}

/** Null for what says nothing: empty, damaged, or of an unknown kind. */
function parse(text: string | null): LockRecord | null {
  try {
    const checked = recordSchema.safeParse(JSON.parse(text ?? ''));
    return checked.success ? checked.data : null;
  } catch {
    return null;
  }
}

function unlocked(): LockedFolder {
  const release = async (): Promise<void> => undefined;
  return { isHeld: false, release, [Symbol.asyncDispose]: release };
}

function describe({ owner, since }: LockRecord): string {
  const own = owner.pid === process.pid ? ' (this very process)' : '';
  return `process ${owner.pid} on ${owner.host} works here since ${since}${own}`;
}

function busy(path: string, who: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path}: ${who}`, {
    reason: 'BUSY',
    details: { path },
  });
}
