/** The sessions that were begun on a VM as it is held here: they end with it, as they do with this process. */
import { CbtError } from './errors.js';

/** A session that whoever began it can end by closing the VM. */
export interface BegunSession {
  /** Ended, with nothing left. */
  readonly over: boolean;
  /** Called when it is over. */
  onOver: (() => void) | null;
  /** Fires when it breaks: then it ends by itself. */
  readonly signal: AbortSignal;
  /** Rolls back what is open, and has the session say so. An end under way is waited for, and stays what it was. */
  endWithVm(): Promise<void>;
}

export class BegunSessions {
  readonly #begun = new Set<Promise<BegunSession>>();

  /** Keeps what is being begun in sight until it is over. */
  async add<T extends BegunSession>(beginning: Promise<T>): Promise<T> {
    // What has ended is let go of: a connection may be kept for months.
    const letGo = (): void => void this.#begun.delete(beginning);
    this.#begun.add(beginning);
    try {
      const session = await beginning;
      session.onOver = letGo;
      session.signal.addEventListener('abort', letGo, { once: true });
      if (session.over || session.signal.aborted) letGo();
      return session;
    } catch (error) {
      letGo();
      throw error;
    }
  }

  /** Ends all of them, also those that are only being begun; throws the first failure when each has been tried. */
  async end(): Promise<void> {
    const begun = [...this.#begun];
    this.#begun.clear();
    const ended = await Promise.allSettled(
      begun.map(async (beginning) => {
        // One that came to nothing has told whoever began it.
        const session = await beginning.catch(() => null);
        await session?.endWithVm();
      }),
    );
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }
}

/** Why a session ended that nobody committed or rolled back. */
export function endedWithVm(pit: string, vm: string): CbtError {
  return new CbtError(
    'ERR_CBT_CLOSED',
    `session ${pit} is broken: the VM ${vm} was closed here while it was open, which rolls it back. What was read since the last check is nobody's to trust; begin a new one`,
    { details: { session: pit } },
  );
}
