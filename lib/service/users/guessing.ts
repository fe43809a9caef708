/**
 * What slows guessing of passwords down: after some failures of a name, or of an address, further tries wait, longer each time, and
 * nobody is locked out for ever. Both are looked at before a password is, so that a right one tells nothing either.
 */
const FREE_OF_NAME = 5;
const FREE_OF_ADDRESS = 20;
const LONGEST_MS = 60_000;
const MOST_REMEMBERED = 10_000;

interface Failures {
  count: number;
  /** When the next try is looked at. */
  until: number;
}

/** Failures of this service. */
export class Guessing {
  readonly #failures = new Map<string, Failures>();

  constructor(readonly now: () => number = () => performance.now()) {}

  /** Whether a try is looked at at all. */
  isOpen(name: string, address: string): boolean {
    return [`n ${name.toLowerCase()}`, `a ${address}`].every(
      (key) => (this.#failures.get(key)?.until ?? 0) <= this.now(),
    );
  }

  /** Notes a failure. */
  failed(name: string, address: string): void {
    this.#count(`n ${name.toLowerCase()}`, FREE_OF_NAME);
    this.#count(`a ${address}`, FREE_OF_ADDRESS);
  }

  /** Forgets what was of the name, and of the address. */
  succeeded(name: string, address: string): void {
    this.#failures.delete(`n ${name.toLowerCase()}`);
    this.#failures.delete(`a ${address}`);
  }

  #count(key: string, free: number): void {
    const known = this.#failures.get(key) ?? { count: 0, until: 0 };
    known.count += 1;
    const over = known.count - free;
    if (over >= 0) known.until = this.now() + Math.min(LONGEST_MS, 1000 * 2 ** Math.min(over, 6));
    this.#failures.delete(key);
    this.#failures.set(key, known);
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MOST_REMEMBERED && oldest !== undefined) this.#failures.delete(oldest);
  }
}
