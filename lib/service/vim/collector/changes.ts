/** Tells whoever waits that something may have changed. */
export class Changes {
  readonly #waiting = new Set<() => void>();

  /** Something changed, or ended: everybody looks. */
  tell(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Until something changes, the time is over, or the signal fires; never fails. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
      if (signal.aborted) wake();
    });
  }
}
