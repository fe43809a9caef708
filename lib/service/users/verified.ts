/**
 * Passwords that were right, told again without the work that makes guessing slow. Programs log in for every run, and some for every question. Kept is a
 * keyed sum that means nothing outside this process, with what the password was checked against: another password of the user, or another file, is
 * looked at in full.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { isPassword, NOBODY } from './password.js';
import type { User } from './usersFile.js';

/** After so long a password is looked at in full again. */
const KEPT_MS = 15 * 60_000;
const MOST = 1000;
/** How often what is kept too long is thrown away, though nobody asks for it. */
const SWEEP_MS = 60_000;

interface Known {
  sum: Buffer;
  hash: string;
  until: number;
}

/** What one service has seen. */
export class Verified {
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, Known>();
  #sweep: NodeJS.Timeout | null = null;

  constructor(readonly now: () => number = () => performance.now()) {}

  /** Whether it is the user's password; for nobody as long as for anybody, and false. A wrong one is always looked at in full. */
  async check(password: string, user: User | undefined): Promise<boolean> {
    const sum = createHmac('sha256', this.#key)
      .update(`${user?.name ?? ''}\0${password.normalize('NFC')}`)
      .digest();
    const known = this.#current(user);
    if (user !== undefined && known !== undefined && timingSafeEqual(known.sum, sum)) return true;
    const isRight = await isPassword(password, user?.password ?? NOBODY);
    if (isRight && user !== undefined) this.#keep(user, sum);
    return isRight && user !== undefined;
  }

  /** How many are kept. */
  get size(): number {
    return this.#known.size;
  }

  /** Keeps those of users that are there, with the same password. */
  keepOnly(users: readonly User[]): void {
    const hashes = new Map(users.map(({ name, password }) => [name, password.hash]));
    for (const [name, { hash }] of this.#known) if (hashes.get(name) !== hash) this.#known.delete(name);
  }

  /** What is kept of a user, as he is now. */
  #current(user: User | undefined): Known | undefined {
    const name = user?.name ?? '';
    const known = this.#known.get(name);
    if (known !== undefined && known.hash === user?.password.hash && known.until > this.now()) return known;
    this.#known.delete(name);
    return undefined;
  }

  #throwOld(): void {
    for (const [name, { until }] of this.#known) if (until <= this.now()) this.#known.delete(name);
    if (this.#known.size > 0) return;
    clearInterval(this.#sweep ?? undefined);
    this.#sweep = null;
  }

  #keep({ name, password }: User, sum: Buffer): void {
    this.#known.delete(name);
    this.#known.set(name, { sum, hash: password.hash, until: this.now() + KEPT_MS });
    this.#sweep ??= setInterval(() => this.#throwOld(), SWEEP_MS).unref();
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST && oldest !== undefined) this.#known.delete(oldest);
  }
}
