/**
 * The backups of one login that have not ended, those that are still beginning included: what a logoff ends. Nothing that
 * was begun under a login outlives it, whoever holds which handle.
 */

import { closeAll } from '../../closeAll.js';
import { PRL_ERR_INVALID_PARAM, PRL_ERR_OPERATION_WAS_CANCELED } from '../constants/results.js';
import { PrlError } from '../errors.js';
import type { Backup } from './backup.js';

export class OpenBackups {
  readonly #begun = new Set<Backup>();
  readonly #beginning = new Set<Promise<Backup>>();
  readonly #over = new AbortController();

  /** Runs a begin, with a signal that fires when the login ends. */
  begin(work: (signal: AbortSignal) => Promise<Backup>, signal?: AbortSignal): Promise<Backup> {
    const beginning = this.#run(work, signal);
    this.#beginning.add(beginning);
    const done = (): void => void this.#beginning.delete(beginning);
    beginning.then(done, done);
    return beginning;
  }

  /** Points in time of those that have begun. */
  get pits(): string[] {
    return [...this.#begun].map(({ pit }) => pit);
  }

  /** A backup has ended by itself. */
  forget(backup: Backup): void {
    this.#begun.delete(backup);
  }

  /** Ends all, rolled back; none begins afterwards. */
  async end(): Promise<void> {
    this.#over.abort();
    await Promise.allSettled(this.#beginning);
    await closeAll(...this.#begun);
  }

  async #run(work: (signal: AbortSignal) => Promise<Backup>, signal?: AbortSignal): Promise<Backup> {
    const over = this.#over.signal;
    if (over.aborted) throw new PrlError(PRL_ERR_INVALID_PARAM, 'the server was logged off');
    const backup = await work(signal === undefined ? over : AbortSignal.any([signal, over]));
    if (over.aborted) {
      await backup.close();
      throw new PrlError(PRL_ERR_OPERATION_WAS_CANCELED, 'the server was logged off while the backup began');
    }
    this.#begun.add(backup);
    return backup;
  }
}
