/**
 * Work done while the file systems of a guest are frozen, whoever has its agent. A guest left frozen is an outage, so the thaw comes on
 * every path, whatever failed, and its failure is the loudest error there is.
 *
 *   freeze ─ fn ─ thaw          fn done, failed, too slow or cancelled: thaw at once
 *     └ failed, silent, cancelled: thaw all the same
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CbtError, throwIfAborted } from '../../../core/errors.js';
import { checkTimeout } from '../../../linux/waiting.js';

/** Where it stands that a freeze is ours, for whoever comes after us if we die in it. */
export interface FreezeRecord {
  /** Before the freeze is sent; on stable storage when it returns. */
  freezing(): Promise<void>;
  /** The guest is known to be thawed. */
  thawed(): Promise<void>;
}

export interface FreezeOptions {
  record?: FreezeRecord | undefined;
  /** For the freeze, which writes out all that is dirty in the guest; 30 000 ms unless given. */
  freezeTimeoutMs?: number | undefined;
  /** Longest that `fn` may hold the guest; 8 000 ms unless given. Windows thaws by itself after 10 000. */
  maxFrozenMs?: number | undefined;
  /** For thawing, over as many connections as it takes; 30 000 ms unless given. */
  thawTimeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface FrozenResult<T> {
  value: T;
  /** File systems that the agent says it froze. 0 is an answer too: then nothing was. */
  frozenFileSystems: number;
}

const DEFAULT_FREEZE_MS = 30_000;
const DEFAULT_FROZEN_MS = 8_000;
const DEFAULT_THAW_MS = 30_000;
/** For a guest that somebody before us left frozen. */
export const LEFT_THAW_MS = 10_000;
/** For one try at thawing, and between two. */
const THAW_TRY_MS = 5_000;
const THAW_PAUSE_MS = 100;

/** Which guest, for errors, and what a person does who has to thaw it. */
export interface GuestName {
  /** `the guest of …` */
  what: string;
  details: Record<string, string>;
  wayOut: string;
}

/** A guest, through whoever has its agent. */
export interface FreezableGuest extends GuestName {
  /** Refuses a guest that cannot be frozen, or that somebody else has frozen. */
  prepare(signal: AbortSignal | undefined): Promise<void>;
  /** Nothing of it was frozen, and nothing will be. */
  leave(): Promise<void>;
  /** File systems that were frozen. */
  freeze(options: { timeoutMs: number; signal: AbortSignal | undefined }): Promise<number>;
  /** How many file systems it changed, null where another try may have; `why`: what had failed before. Throws that the guest may be frozen. */
  thaw(timeoutMs: number, why: unknown): Promise<number | null>;
}

/** Limits are checked before anything is asked of the guest, which `reach` leads to. */
export async function whileFrozen<T>(
  reach: (signal: AbortSignal | undefined) => Promise<FreezableGuest>,
  fn: (signal: AbortSignal, frozenFileSystems: number) => Promise<T>,
  options: FreezeOptions,
): Promise<FrozenResult<T>> {
  const freezeMs = checkTimeout('freezeTimeoutMs', options.freezeTimeoutMs ?? DEFAULT_FREEZE_MS);
  const frozenMs = checkTimeout('maxFrozenMs', options.maxFrozenMs ?? DEFAULT_FROZEN_MS);
  const thawMs = checkTimeout('thawTimeoutMs', options.thawTimeoutMs ?? DEFAULT_THAW_MS);
  const { signal, record } = options;
  const guest = await reach(signal);
  try {
    await guest.prepare(signal);
    await record?.freezing();
  } catch (error) {
    await guest.leave();
    throw error;
  }
  const thaw = async (why: unknown): Promise<number | null> => {
    const thawed = await guest.thaw(thawMs, why);
    // Whoever reads it finds the guest thawed, and believes that.
    await record?.thawed().catch(() => undefined);
    return thawed;
  };
  let frozen: number;
  try {
    frozen = await guest.freeze({ timeoutMs: freezeMs, signal });
    throwIfAborted(signal);
  } catch (error) {
    await thaw(error);
    throw error;
  }
  const work = await runWithin((stop) => fn(stop, frozen), frozenMs, signal);
  const thawed = await thaw(work.reason);
  const outcome = await work.settled;
  if (outcome.status === 'rejected') throw work.reason ?? outcome.reason;
  if (work.reason !== undefined) throw work.reason;
  if (frozen > 0 && thawed === 0)
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${guest.what} did not stay frozen: ${frozen} file systems were frozen, and none was left to thaw`,
      { details: { ...guest.details, frozenFileSystems: frozen } },
    );
  return { value: outcome.value, frozenFileSystems: frozen };
}

/** A freeze that is not ours is not ours to end. */
export function frozenBySomebodyElse({ what, details }: GuestName): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${what} is frozen already, by somebody else`, {
    reason: 'BUSY',
    details,
  });
}

/** Tries until one try has thawed it: `once` gets what is left for it, in milliseconds, and whether it is the first. At least one is made. */
export async function thawByTries<T>(
  guest: GuestName,
  limitMs: number,
  why: unknown,
  once: (left: () => number, isFirst: boolean) => Promise<T>,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  const left = (): number => Math.max(1, Math.min(THAW_TRY_MS, deadline - Date.now()));
  let tries = 0;
  let last: unknown;
  while (tries === 0 || Date.now() < deadline) {
    tries += 1;
    try {
      return await once(left, tries === 1);
    } catch (error) {
      last = error;
      await delay(Math.min(THAW_PAUSE_MS, left()));
    }
  }
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${guest.what} MAY STILL BE FROZEN: ${tries} tries to thaw it in ${limitMs} ms failed ` +
      `(${last instanceof Error ? last.message : String(last)}); ${guest.wayOut}, or reset the guest`,
    { details: { ...guest.details, mayBeFrozen: true, tries }, cause: why ?? last },
  );
}

interface Work<T> {
  /** Why `fn` was told to stop before it had settled; undefined when it settled by itself. */
  reason: CbtError | undefined;
  settled: Promise<PromiseSettledResult<T>>;
}

/** Runs `fn`; returns when it has settled, or when its time is up or the caller cancelled, whichever is first. */
export async function runWithin<T>(
  fn: (signal: AbortSignal) => Promise<T>,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<Work<T>> {
  const stop = new AbortController();
  let reason: CbtError | undefined;
  const tell = (why: CbtError): void => {
    reason ??= why;
    stop.abort(why);
  };
  const onAbort = (): void =>
    tell(new CbtError('ERR_CBT_ABORTED', 'cancelled by the caller', { cause: signal?.reason }));
  const timer = setTimeout(() => tell(tooLong(limitMs)), limitMs);
  signal?.addEventListener('abort', onAbort, { once: true });
  const told = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
  const settled = (async () => fn(stop.signal))().then<PromiseSettledResult<T>, PromiseSettledResult<T>>(
    (value) => ({ status: 'fulfilled', value }),
    (error: unknown) => ({ status: 'rejected', reason: error }),
  );
  await Promise.race([settled, told]);
  clearTimeout(timer);
  signal?.removeEventListener('abort', onAbort);
  return { reason, settled };
}

function tooLong(limitMs: number): CbtError {
  return new CbtError(
    'ERR_CBT_TIMEOUT',
    `the work on the frozen guest took longer than ${limitMs} ms; the guest was thawed before it was done`,
    { details: { maxFrozenMs: limitMs } },
  );
}
