/**
 * Work done while the guest's file systems are frozen. A guest left frozen is an outage, so the thaw comes on every
 * path, whatever failed, if need be over a new connection, and its failure is the loudest error there is.
 *
 *   status ─ freeze ─ fn ─ thaw          fn done, failed, too slow or cancelled: thaw at once
 *              └ failed, silent, cancelled: thaw all the same (the agent takes commands in order)
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CbtError, throwIfAborted } from '../../../core/errors.js';
import { checkTimeout } from '../../../linux/waiting.js';
import { QmpCommandError } from '../qmp/qmpError.js';
import { GuestAgent } from './guestAgent.js';

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

const THAW = 'guest-fsfreeze-thaw';
const DEFAULT_FREEZE_MS = 30_000;
const DEFAULT_FROZEN_MS = 8_000;
const DEFAULT_THAW_MS = 30_000;
/** For a guest that somebody before us left frozen. */
const LEFT_THAW_MS = 10_000;
/** For one try at thawing, and between two. */
const THAW_TRY_MS = 5_000;
const THAW_PAUSE_MS = 100;

/**
 * Freezes, runs `fn`, thaws; resolves only when the guest was frozen all the while. `fn` gets a signal that says when
 * to stop: its own limit or the caller's; the guest is thawed at that moment, and then `fn` is waited for.
 */
export async function withFrozenGuest<T>(
  path: string,
  fn: (signal: AbortSignal, frozenFileSystems: number) => Promise<T>,
  options: FreezeOptions = {},
): Promise<FrozenResult<T>> {
  const freezeMs = checkTimeout('freezeTimeoutMs', options.freezeTimeoutMs ?? DEFAULT_FREEZE_MS);
  const frozenMs = checkTimeout('maxFrozenMs', options.maxFrozenMs ?? DEFAULT_FROZEN_MS);
  const thawMs = checkTimeout('thawTimeoutMs', options.thawTimeoutMs ?? DEFAULT_THAW_MS);
  const { signal, record } = options;
  const agent = await GuestAgent.connect(path, { signal });
  try {
    await refuseFrozen(agent, signal);
    await agent.requireFreeze({ signal });
    await record?.freezing();
  } catch (error) {
    await agent.close();
    throw error;
  }
  const thaw = async (why: unknown): Promise<number | null> => {
    const thawed = await thawCertainly(path, agent, thawMs, why);
    // Whoever reads it finds the guest thawed, and believes that.
    await record?.thawed().catch(() => undefined);
    return thawed;
  };
  let frozen: number;
  try {
    frozen = await agent.freeze({ timeoutMs: freezeMs, signal });
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
  if (frozen > 0 && thawed === 0) throw thawedBySomebodyElse(path, frozen);
  return { value: outcome.value, frozenFileSystems: frozen };
}

/**
 * Thaws a guest that was left frozen by us, as a record says. False where it is not frozen: it thawed by itself, or
 * somebody else was before us. An agent that does not answer is tried for 10 s, a thaw lined up behind what it may be at.
 */
export async function thawLeft(path: string, signal?: AbortSignal): Promise<boolean> {
  let agent: GuestAgent | undefined;
  let why: unknown;
  try {
    agent = await GuestAgent.connect(path, { signal });
    if ((await agent.freezeState({ signal })) === 'thawed') {
      await agent.close();
      return false;
    }
  } catch (error) {
    throwIfAborted(signal);
    why = error;
    await agent?.close();
    agent = undefined;
  }
  await thawCertainly(path, agent, LEFT_THAW_MS, why);
  return true;
}

/**
 * A freeze that is not ours is not ours to end. Asked before what the agent offers: while it is frozen, qemu-ga switches off
 * all commands but a few, guest-fsfreeze-freeze among them.
 */
async function refuseFrozen(agent: GuestAgent, signal: AbortSignal | undefined): Promise<void> {
  try {
    if ((await agent.freezeState({ signal })) === 'thawed') return;
  } catch (error) {
    // It cannot even tell; then its list of commands says better why.
    if (error instanceof QmpCommandError) await agent.requireFreeze({ signal });
    throw error;
  }
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the guest behind ${agent.path} is frozen already, by somebody else`,
    { reason: 'BUSY', details: { socket: agent.path } },
  );
}

export interface Work<T> {
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

/**
 * Thaws, or throws that the guest may be frozen. How many file systems the thaw changed, or null where that is not
 * known because another try may have done it. Closes the agent.
 */
async function thawCertainly(
  path: string,
  first: GuestAgent | undefined,
  timeoutMs: number,
  why: unknown,
): Promise<number | null> {
  const deadline = Date.now() + timeoutMs;
  const left = (): number => Math.max(1, Math.min(THAW_TRY_MS, deadline - Date.now()));
  let agent = first;
  let tries = 0;
  let last: unknown;
  // Something is unanswered, perhaps the freeze: line the thaw up behind it now, whatever becomes of us.
  const blind = first === undefined || !first.settled;
  if (blind) first?.post(THAW);
  try {
    while (tries === 0 || Date.now() < deadline) {
      tries += 1;
      try {
        agent ??= await GuestAgent.connect(path, { timeoutMs: left(), post: THAW });
        const thawed = await thawOnce(agent, left);
        return tries === 1 && !blind ? thawed : null;
      } catch (error) {
        last = error;
        // The channel takes one client at a time: make room for the next try.
        await agent?.close();
        agent = undefined;
        await delay(Math.min(THAW_PAUSE_MS, left()));
      }
    }
  } finally {
    await agent?.close();
  }
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the guest behind ${path} MAY STILL BE FROZEN: ${tries} tries to thaw it in ${timeoutMs} ms failed ` +
      `(${last instanceof Error ? last.message : String(last)}); send ${THAW} to its agent, or reset the guest`,
    { details: { socket: path, mayBeFrozen: true, tries }, cause: why ?? last },
  );
}

async function thawOnce(agent: GuestAgent, left: () => number): Promise<number | null> {
  try {
    return await agent.thaw({ timeoutMs: left() });
  } catch (error) {
    // Refused: then the state decides (Windows refuses when its own limit has thawed the guest already).
    if (error instanceof QmpCommandError && (await agent.freezeState({ timeoutMs: left() })) === 'thawed')
      return 0;
    throw error;
  }
}

function tooLong(limitMs: number): CbtError {
  return new CbtError(
    'ERR_CBT_TIMEOUT',
    `the work on the frozen guest took longer than ${limitMs} ms; the guest was thawed before it was done`,
    { details: { maxFrozenMs: limitMs } },
  );
}

function thawedBySomebodyElse(path: string, frozen: number): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the guest behind ${path} did not stay frozen: ${frozen} file systems were frozen, and none was left to thaw`,
    { details: { socket: path, frozenFileSystems: frozen } },
  );
}
