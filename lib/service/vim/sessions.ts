/** Sessions: who is logged in, by which cookie, since when, and the objects that live as long as a session. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { User } from '../users/usersFile.js';
import type { WireObject } from './wireObject.js';

const IDLE_MS = 30 * 60_000;
const MOST_SESSIONS = 256;
const MOST_OBJECTS = 300;

/** What a client is shown of a session. */
export interface UserSession {
  _type: 'UserSession';
  key: string;
  userName: string;
  fullName: string;
  loginTime: string;
  lastActiveTime: string;
  locale: string;
  messageLocale: string;
  extensionSession: boolean;
  ipAddress: string;
  userAgent: string;
  callCount: number;
}

/** One login. */
export class Session {
  readonly key: string = randomUUID();
  readonly loginTime = new Date();
  /** Views, filters, collectors: they end with it. */
  readonly objects = new Map<string, WireObject>();
  readonly #end = new AbortController();
  lastActive: number;
  lastActiveTime = new Date();
  callCount = 0;
  /** Calls that are under way: a wait keeps its session alive. */
  pending = 0;

  constructor(
    readonly user: User,
    readonly address: string,
    readonly userAgent: string,
    readonly now: () => number,
  ) {
    this.lastActive = now();
  }

  /** Fires when the session ends. */
  get ended(): AbortSignal {
    return this.#end.signal;
  }

  end(): void {
    this.objects.clear();
    this.#end.abort();
  }

  touch(): void {
    this.lastActive = this.now();
    this.lastActiveTime = new Date();
  }

  /** Gives an object of the session its reference; the oldest goes where there are too many. */
  keep<T extends WireObject>(make: (value: string) => T): T {
    const object = make(`session[${this.key}]${randomUUID()}`);
    this.objects.set(object.value, object);
    const [oldest] = this.objects.keys();
    if (this.objects.size > MOST_OBJECTS && oldest !== undefined) this.objects.delete(oldest);
    return object;
  }

  /** As the API shows it. */
  get info(): UserSession {
    return {
      _type: 'UserSession',
      key: this.key,
      userName: this.user.name,
      fullName: this.user.name,
      loginTime: this.loginTime.toISOString(),
      lastActiveTime: this.lastActiveTime.toISOString(),
      locale: 'en',
      messageLocale: 'en',
      extensionSession: false,
      ipAddress: this.address,
      userAgent: this.userAgent,
      callCount: this.callCount,
    };
  }
}

/** All sessions of the service. */
export class Sessions {
  /** By the hash of the cookie: what is kept opens nothing. */
  readonly #byCookie = new Map<string, Session>();

  constructor(
    readonly idleMs: number = IDLE_MS,
    readonly now: () => number = () => performance.now(),
  ) {}

  get all(): Session[] {
    this.#endIdle();
    return [...this.#byCookie.values()];
  }

  /** A new session under a new cookie. */
  begin(user: User, address: string, userAgent: string): { session: Session; cookie: string } {
    this.#endIdle();
    const cookie = randomBytes(32).toString('hex');
    const session = new Session(user, address, userAgent.slice(0, 200), this.now);
    this.#byCookie.set(hash(cookie), session);
    if (this.#byCookie.size > MOST_SESSIONS) this.#endOldest();
    return { session, cookie };
  }

  /** The session of a cookie; null where there is none any more. */
  find(cookie: string | null): Session | null {
    const session = cookie === null ? undefined : this.#byCookie.get(hash(cookie));
    if (session === undefined) return null;
    if (!this.#isIdle(session)) return session;
    this.end(session);
    return null;
  }

  end(session: Session): void {
    for (const [key, one] of this.#byCookie) if (one === session) this.#byCookie.delete(key);
    session.end();
  }

  endAll(): void {
    for (const session of this.#byCookie.values()) this.end(session);
  }

  #isIdle({ pending, lastActive }: Session): boolean {
    return pending === 0 && this.now() - lastActive > this.idleMs;
  }

  #endIdle(): void {
    for (const session of this.#byCookie.values()) if (this.#isIdle(session)) this.end(session);
  }

  #endOldest(): void {
    const [oldest] = [...this.#byCookie.values()].sort((a, b) => a.lastActive - b.lastActive);
    if (oldest !== undefined) this.end(oldest);
  }
}

const hash = (cookie: string): string => createHash('sha256').update(cookie).digest('hex');
