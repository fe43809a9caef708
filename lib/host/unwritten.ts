/**
 * The one proof that an image still holds what it held at an instant: its own bitmaps, which say that nothing was written
 * since. Whoever reads an image as of a point in time, or joins an overlay with it, asks here.
 */
import { stat } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';
import type { Instant } from '../core/pointInTime.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import { onFile } from '../linux/fileFault.js';
import { requireNoHolder } from './unused.js';

/**
 * Throws unless this is the disk of the instant and nothing was written to it since: `BUSY`, with `writtenBytes`, where something
 * was; where nobody knows (a writer has it, a crash, another disk by now), why. One that is replaced under its name is another disk.
 */
export async function requireUnwritten(
  disk: TrackedDisk,
  instant: Instant,
  signal?: AbortSignal,
): Promise<void> {
  const writtenBytes = await (await disk.changes({ from: instant, signal })).changedBytes();
  if (writtenBytes === 0) return;
  const message = `${disk.disk} was written to since the point in time ${instant.pit} (${writtenBytes} bytes): what it held then is gone`;
  throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, {
    disk: disk.disk,
    reason: 'BUSY',
    details: { writtenBytes },
  });
}

/** How much younger than its last write a file's times may be for a later write to show in them. */
const SETTLED_MS = 1_000;

/** The same proof asked over and over: made anew only where the file is not as it was proven to be. */
export class Proof {
  #proven: string | null = null;

  constructor(
    private readonly path: string,
    private readonly prove: (signal?: AbortSignal) => Promise<void>,
  ) {}

  async check(signal?: AbortSignal): Promise<void> {
    const before = await stampOf(this.path);
    // A VM that was started has the lock before it has written anything.
    if (before !== null && before === this.#proven) return requireNoHolder(this.path, 'read');
    this.#proven = null;
    await this.prove(signal);
    this.#proven = before;
  }
}

/** Tells any later write to a file; null for a device, which shows none, and for a file so young that a write may not show. */
async function stampOf(path: string): Promise<string | null> {
  return onFile(path, 'looking', async () => {
    const found = await stat(path, { bigint: true });
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = found;
    if (!found.isFile() || Date.now() - Number(ctimeMs) < SETTLED_MS) return null;
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  });
}
