/**
 * Freezing a guest by its agent's socket. The channel takes one client at a time, and the agent its commands in order: what is lined up behind
 * a freeze that is silent thaws it.
 */
import { throwIfAborted } from '../../../core/errors.js';
import { QmpCommandError } from '../qmp/qmpError.js';
import {
  type FreezeOptions,
  type FrozenResult,
  frozenBySomebodyElse,
  type GuestName,
  LEFT_THAW_MS,
  thawByTries,
  whileFrozen,
} from './frozenWork.js';
import { GuestAgent } from './guestAgent.js';

const THAW = 'guest-fsfreeze-thaw';

const nameOf = (path: string): GuestName => ({
  what: `the guest behind ${path}`,
  details: { socket: path },
  wayOut: `send ${THAW} to its agent`,
});

/**
 * Freezes, runs `fn`, thaws; resolves only when the guest was frozen all the while. `fn` gets a signal that says when
 * to stop: its own limit or the caller's; the guest is thawed at that moment, and then `fn` is waited for.
 */
export async function withFrozenGuest<T>(
  path: string,
  fn: (signal: AbortSignal, frozenFileSystems: number) => Promise<T>,
  options: FreezeOptions = {},
): Promise<FrozenResult<T>> {
  return whileFrozen(
    async (signal) => {
      const agent = await GuestAgent.connect(path, { signal });
      return {
        ...nameOf(path),
        async prepare() {
          await refuseFrozen(agent, signal);
          await agent.requireFreeze({ signal });
        },
        leave: () => agent.close(),
        freeze: (limits) => agent.freeze(limits),
        thaw: (timeoutMs, why) => thawCertainly(path, agent, timeoutMs, why),
      };
    },
    fn,
    options,
  );
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
  throw frozenBySomebodyElse(nameOf(agent.path));
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
  let agent = first;
  // Something is unanswered, perhaps the freeze: line the thaw up behind it now, whatever becomes of us.
  const blind = first === undefined || !first.settled;
  if (blind) first?.post(THAW);
  try {
    return await thawByTries(nameOf(path), timeoutMs, why, async (left, isFirst) => {
      try {
        agent ??= await GuestAgent.connect(path, { timeoutMs: left(), post: THAW });
        const thawed = await thawOnce(agent, left);
        return isFirst && !blind ? thawed : null;
      } catch (error) {
        // The channel takes one client at a time: make room for the next try.
        await agent?.close();
        agent = undefined;
        throw error;
      }
    });
  } finally {
    await agent?.close();
  }
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
