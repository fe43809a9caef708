/**
 * Every file a source has opened, by path, until it is closed. Work that uses a descriptor runs under `using`, so that no
 * descriptor is closed, and its number given to another file, below a read that is still under way.
 */
import { UntilClosed } from '../../core/untilClosed.js';
import { ImageFile } from './imageFile.js';

export class OpenFiles {
  readonly #files = new Map<string, Promise<ImageFile>>();
  readonly #uses = new UntilClosed();
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
  using<T>(what: string, work: () => Promise<T>): Promise<T> {
    return this.#uses.run(what, work);
  }

  /** Waits for running work, then closes everything. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#uses.stop();
    await this.#uses.ended();
    const opened = await Promise.allSettled(this.#files.values());
    await Promise.all(opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value.close()] : [])));
  }
}
