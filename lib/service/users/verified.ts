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

interface Known {
  sum: Buffer;
  hash: string;
  until: number;
}

/** What one service has seen. */
export class Verified {
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, Known>();

  constructor(readonly now: () => number = () => performance.now()) {}

  /** Whether it is the user's password; for nobody as long as for anybody, and false. A wrong one is always looked at in full. */
  async check(password: string, user: User | undefined): Promise<boolean> {
    const sum = createHmac('sha256', this.#key)
      .update(`${user?.name ?? ''}\0${password.normalize('NFC')}`)
      .digest();
    const known = this.#known.get(user?.name ?? '');
    if (
      user !== undefined &&
      known?.hash === user.password.hash &&
      known.until > this.now() &&
      timingSafeEqual(known.sum, sum)
    )
      return true;
    const isRight = await isPassword(password, user?.password ?? NOBODY);
    if (isRight && user !== undefined) this.#keep(user, sum);
    return isRight && user !== undefined;
  }

  #keep({ name, password }: User, sum: Buffer): void {
    this.#known.delete(name);
    this.#known.set(name, { sum, hash: password.hash, until: this.now() + KEPT_MS });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST && oldest !== undefined) this.#known.delete(oldest);
  }
}
