/**
 * Signals that end the command: the first one cancels what is under way, which is then undone in order; the same one a second
 * time insists, and what is left is the next run's to clear up. A terminal that goes away sends SIGHUP, often twice: that
 * never insists.
 */
import { constants } from 'node:os';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
export type EndingSignal = (typeof ENDING)[number];

/** One that comes this soon after the first is the same request, sent twice (a wrapper hands on what its terminal sent). */
const SAME_MS = 500;

/** What a shell shows for a command that a signal ended. */
export function exitCodeOfSignal(signal: EndingSignal): number {
  return 128 + constants.signals[signal];
}

export class Signals {
  /** The first that came. */
  received: EndingSignal | null = null;
  #at = 0;
  #reload: (() => void) | null = null;
  readonly #cancel = new AbortController();
  readonly #insist: (signal: EndingSignal) => void;

  constructor(insist: (signal: EndingSignal) => void) {
    this.#insist = insist;
    for (const signal of ENDING) process.on(signal, this.#take);
  }

  /** Aborted by the first. */
  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  /** From here on they do what they do by themselves. */
  stop(): void {
    for (const signal of ENDING) process.removeListener(signal, this.#take);
  }

  /** SIGHUP asks for this from here on, and ends nothing: as services have it. */
  onHangup(reload: () => void): void {
    this.#reload = reload;
  }

  readonly #take = (signal: EndingSignal): void => {
    if (signal === 'SIGHUP' && this.#reload !== null) this.#reload();
    else if (this.received === null) {
      this.received = signal;
      this.#at = performance.now();
      this.#cancel.abort(new Error(`ended by ${signal}`));
    } else if (signal !== 'SIGHUP' && performance.now() - this.#at > SAME_MS) this.#insist(signal);
  };
}
