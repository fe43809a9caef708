/**
 * A name for this process that others can ask the kernel about: it stands for a file in the folder for temporary files, which
 * the process keeps locked to its end. For what can carry a short name and no record, in places that others see too.
 *
 *   <8 hex digits of the folder and the kernel><8 random ones>
 */
import { createHash, randomBytes } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import { lstat, readdir, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type HeldLock, isHeld, tryHold } from './kernelLock.js';
import { thisMachine } from './machine.js';

const FILE = /^cbt-process-([0-9a-f]{16})\.lock$/;
/** A mark that nobody holds may just be being made. */
const NEW_FOR_MS = 600_000;

let own: Promise<{ mark: string; lock: HeldLock }> | null = null;

/** The mark of this process, 16 hex digits. */
export async function ownMark(): Promise<string> {
  own ??= draw();
  const { mark, lock } = await own.catch((error: unknown) => {
    own = null;
    throw error;
  });
  // So that what clears the folder of old files lets it be; where it did not, the name is worth nothing any more.
  const now = new Date();
  const there = await utimes(lock.path, now, now).then(
    () => true,
    () => false,
  );
  if (there) return mark;
  own = null;
  return ownMark();
}

/** The same where this process has one; whoever only looks draws none, for a killed process leaves its mark's file. */
export async function markIfDrawn(): Promise<string | null> {
  return (await own?.catch(() => null))?.mark ?? null;
}

/** Whether the process that drew the mark still runs; 'unknown' where its folder is not the one that is seen from here. */
export async function stateOf(mark: string): Promise<'alive' | 'dead' | 'unknown'> {
  if (!mark.startsWith(await ownPlace())) return 'unknown';
  return (await isRunning(mark)) ? 'alive' : 'dead';
}

/** The same of a mark that was found in this folder for temporary files. */
export async function isRunning(mark: string): Promise<boolean> {
  // A file that cannot be looked at is another user's.
  return isHeld(fileOf(mark)).catch(() => true);
}

/** Removes the marks of processes that were killed. */
export async function removeDeadMarks(): Promise<void> {
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    const [, mark = ''] = FILE.exec(name) ?? [];
    const info = mark === '' ? null : await lstat(fileOf(mark)).catch(() => null);
    if (info === null || Date.now() - info.mtimeMs < NEW_FOR_MS) continue;
    const lock = await tryHold(fileOf(mark), { waitMs: 0 }).catch(() => null);
    await lock?.remove();
  }
}

async function draw(): Promise<{ mark: string; lock: HeldLock }> {
  for (;;) {
    const mark = (await ownPlace()) + randomBytes(4).toString('hex');
    const lock = await tryHold(fileOf(mark), { create: 0o644, waitMs: 0 });
    if (lock === null) continue;
    process.once('exit', () => {
      try {
        unlinkSync(lock.path);
      } catch {
        // It is gone, and so are we.
      }
    });
    return { mark, lock };
  }
}

/** The folder as what it is, on this kernel: containers may each have their own, or share one. */
async function ownPlace(): Promise<string> {
  const { dev, ino } = await stat(tmpdir(), { bigint: true });
  const { bootId } = await thisMachine();
  return createHash('sha256').update(`${bootId} ${dev} ${ino}`).digest('hex').slice(0, 8);
}

function fileOf(mark: string): string {
  return path.join(tmpdir(), `cbt-process-${mark}.lock`);
}
