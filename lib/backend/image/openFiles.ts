/**
 * Every file a source has opened, by path, until it is closed. Work that uses a descriptor runs under `using`, so that no
 * descriptor is closed, and its number given to another file, below a read that is still under way.
 */
import { CbtError } from '../../core/errors.js';
import { ImageFile } from './imageFile.js';

export class OpenFiles {
  readonly #files = new Map<string, Promise<ImageFile>>();
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  /** The file at the path; opened once. A path that could not be opened is tried again the next time. */
  open(path: string): Promise<ImageFile> {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const opened = ImageFile.open(path);
    this.#files.set(path, opened);
    opened.catch(() => this.#files.delete(path));
    return opened;
  }

  /** Runs work that uses the files; `what` names the disk when it is closed already. */
  async using<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined)
      throw new CbtError('ERR_CBT_CLOSED', `disk ${what} is closed`, { disk: what });
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Waits for running work, then closes everything. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    await Promise.allSettled(this.#running);
    const opened = await Promise.allSettled(this.#files.values());
    await Promise.all(opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value.close()] : [])));
  }
}
