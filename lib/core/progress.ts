/**
 * How far long work is, told the same way by everything that takes long. What a callback throws is its own affair: an hour of copying
 * does not end because a line could not be drawn. Who wants to end the work has the `signal` for it.
 */

import { warnOfCallback } from './failedCallback.js';
import type { DiskName } from './ids.js';

/** What kind of work an event is about. */
export type ProgressPhase =
  /** Reading a change map; its bytes are those of the disk. */
  | 'map'
  /** Reading what a backup run, or a copy of a folder, copies. */
  | 'copy'
  /** Reading stored layers for a restore. */
  | 'restore'
  /** Comparing stored bytes with their sums. */
  | 'verify'
  /** Comparing a disk with what is stored of it. */
  | 'compare'
  /** Merging layers for a prune. */
  | 'merge'
  /** Bringing what an overlay took back into the image, at the end of a session. */
  | 'return';

/** How far long work is. A new frozen object every time. */
export interface ProgressEvent {
  /** What is being done. */
  readonly phase: ProgressPhase;
  /** The disk whose bytes were done last. */
  readonly disk: DiskName;
  /** Bytes done of all disks of the call, 0 or more; a map that is read again starts again. */
  readonly doneBytes: number;
  /** Bytes there are to do of all disks of the call, at least `doneBytes`. It grows where more turns up. */
  readonly totalBytes: number;
  /** Bytes a second over the last five seconds, a whole number; 0 where it is not known yet. */
  readonly bytesPerSecond: number;
}

/**
 * Told how far the work is. One that throws, or gives back a promise that is rejected, ends nothing: the process is warned
 * (`process.on('warning')`, code `QEMU_CBT_CALLBACK`), once for a call, and the work goes on.
 */
export type OnProgress = (event: ProgressEvent) => void;

/** The rate is that of the last seconds, so that it follows a disk that slows down. */
const RATE_WINDOW_MS = 5_000;
const SAMPLE_EVERY_MS = 100;

/** Makes the events of one call. Cheap enough for every piece; nothing is made where nobody listens. */
export class Progress {
  readonly #phase: ProgressPhase;
  readonly #onProgress: OnProgress | undefined;
  readonly #now: () => number;
  readonly #samples: { at: number; doneBytes: number }[] = [];
  #warned = false;
  #doneBytes = 0;
  /** Bytes there are to do, as far as it is known. */
  totalBytes = 0;

  constructor(
    phase: ProgressPhase,
    onProgress: OnProgress | undefined,
    { totalBytes = 0, now = () => performance.now() }: { totalBytes?: number; now?: () => number } = {},
  ) {
    this.#phase = phase;
    this.#onProgress = onProgress;
    this.#now = now;
    this.totalBytes = totalBytes;
    this.#samples.push({ at: now(), doneBytes: 0 });
  }

  /** Bytes done so far. */
  get doneBytes(): number {
    return this.#doneBytes;
  }

  /** So many bytes more are done. */
  add(disk: string, bytes: number): void {
    this.tell(disk, this.#doneBytes + bytes, this.totalBytes);
  }

  /** So many bytes are done by now. */
  tell(disk: string, doneBytes: number, totalBytes: number): void {
    const again = doneBytes < this.#doneBytes;
    this.#doneBytes = doneBytes;
    this.totalBytes = Math.max(totalBytes, doneBytes);
    if (this.#onProgress === undefined) return;
    const bytesPerSecond = this.#rate(doneBytes, again);
    const event = { phase: this.#phase, disk, doneBytes, totalBytes: this.totalBytes, bytesPerSecond };
    try {
      const given: unknown = this.#onProgress(Object.freeze(event));
      if (given instanceof Promise) given.catch((error: unknown) => this.#warn(error));
    } catch (error) {
      this.#warn(error);
    }
  }

  #rate(doneBytes: number, again: boolean): number {
    const now = this.#now();
    if (again) this.#samples.splice(0, this.#samples.length, { at: now, doneBytes });
    const [first] = this.#samples;
    const rate =
      first === undefined || now <= first.at
        ? 0
        : Math.round((1000 * (doneBytes - first.doneBytes)) / (now - first.at));
    if (now - (this.#samples.at(-1)?.at ?? 0) >= SAMPLE_EVERY_MS) {
      this.#samples.push({ at: now, doneBytes });
      while (this.#samples.length > 2 && now - (this.#samples[1]?.at ?? now) > RATE_WINDOW_MS)
        this.#samples.shift();
    }
    return rate;
  }

  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    warnOfCallback('onProgress failed, and the work goes on without it being told', error);
  }
}
