/**
 * Starts bringing a file to the disk while it is still being written. Otherwise all of it waits in memory for the sync at
 * the end, and the disk idles while the copy runs and the copy while the disk works.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { onFile } from './fileFault.js';

const STEP_BYTES = 32 << 20;

export class WriteBehind {
  readonly #path: string;
  readonly #file: FileHandle;
  #waiting = 0;
  #running: Promise<void> | null = null;
  #failure: unknown;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Syncs reach what any process writes to the file, so it is opened for reading only. */
  static async start(path: string): Promise<WriteBehind> {
    return new WriteBehind(path, await onFile(path, 'opening', () => open(path, 'r')));
  }

  /** So much more was written, or is being written. */
  note(bytes: number): void {
    this.#waiting += bytes;
    if (this.#waiting < STEP_BYTES || this.#running !== null) return;
    this.#waiting = 0;
    this.#running = this.#file.datasync().then(
      () => {
        this.#running = null;
      },
      // A failed write-back is told once, to whoever syncs first; it must not be lost.
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
  }

  /** Everything written so far, and what became of earlier syncs; closes. */
  async finish(): Promise<void> {
    await onFile(this.#path, 'syncing', async () => {
      await this.#running;
      if (this.#failure !== undefined) throw this.#failure;
      await this.#file.sync();
    });
    await this.close();
  }

  async close(): Promise<void> {
    await this.#running;
    await this.#file.close();
  }
}
