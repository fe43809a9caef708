/**
 * Freezing a domain's guest through libvirt, which has the guest's agent: asking that behind its back is not possible. The guest is thawed on
 * every way out, if need be over a new connection.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { checkTimeout } from '../../linux/waiting.js';
import { type FreezeOptions, type FrozenResult, runWithin } from '../qemu/guest/guestFreeze.js';
import { parseJson } from '../qemu/qmp/json.js';
import type { FoundDomain } from './findDomain.js';
import { onDomain } from './findDomain.js';

const DEFAULT_FREEZE_MS = 30_000;
const DEFAULT_FROZEN_MS = 8_000;
const DEFAULT_THAW_MS = 30_000;
/** For a guest that somebody before us left frozen. */
const LEFT_THAW_MS = 10_000;
const THAW_TRY_MS = 5_000;
const THAW_PAUSE_MS = 100;
const STATUS_SECONDS = 5;
/** Characters of an answer that an error shows. */
const SHOWN = 80;

export async function whileDomainFrozen<T>(
  found: FoundDomain,
  work: (stop: AbortSignal, frozenFileSystems: number) => Promise<T>,
  options: FreezeOptions = {},
): Promise<FrozenResult<T>> {
  const freezeMs = checkTimeout('freezeTimeoutMs', options.freezeTimeoutMs ?? DEFAULT_FREEZE_MS);
  const frozenMs = checkTimeout('maxFrozenMs', options.maxFrozenMs ?? DEFAULT_FROZEN_MS);
  const thawMs = checkTimeout('thawTimeoutMs', options.thawTimeoutMs ?? DEFAULT_THAW_MS);
  const { signal, record } = options;
  const { libvirt, domain, address } = found;
  throwIfAborted(signal);
  // A freeze that is not ours is not ours to end.
  if ((await statusOf(found, signal)) !== 'thawed')
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `the guest of ${address} is frozen already, by somebody else`,
      { reason: 'BUSY', details: { domain: address } },
    );
  await record?.freezing();
  const thaw = async (why: unknown): Promise<number | null> => {
    const thawed = await thawCertainly(found, thawMs, why);
    await record?.thawed().catch(() => undefined);
    return thawed;
  };
  let frozen: number;
  try {
    frozen = await libvirt.freeze(domain, { timeoutMs: freezeMs, signal });
    throwIfAborted(signal);
  } catch (error) {
    await thaw(error);
    throw error;
  }
  const done = await runWithin((stop) => work(stop, frozen), frozenMs, signal);
  const thawed = await thaw(done.reason);
  const outcome = await done.settled;
  if (outcome.status === 'rejected') throw done.reason ?? outcome.reason;
  if (done.reason !== undefined) throw done.reason;
  if (frozen > 0 && thawed === 0)
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `the guest of ${address} did not stay frozen: ${frozen} file systems were frozen, and none was left to thaw`,
      { details: { domain: address, frozenFileSystems: frozen } },
    );
  return { value: outcome.value, frozenFileSystems: frozen };
}

/** Thaws a guest that a record says we left frozen; false where it is not frozen any more. */
export async function thawLeftDomain(found: FoundDomain, signal?: AbortSignal): Promise<boolean> {
  if (found.domain.id < 0) return false;
  const status = await statusOf(found, signal).catch((error: unknown) => {
    throwIfAborted(signal);
    return error;
  });
  if (status === 'thawed') return false;
  await thawCertainly(found, LEFT_THAW_MS, status instanceof Error ? status : undefined);
  return true;
}

/** As the agent says; what it says beside these two is an error. */
async function statusOf(
  { libvirt, domain, address }: FoundDomain,
  signal: AbortSignal | undefined,
): Promise<'thawed' | 'frozen'> {
  const command = JSON.stringify({ execute: 'guest-fsfreeze-status' });
  const said = await libvirt.agentCommand(domain, command, STATUS_SECONDS, { signal });
  const status = returnedIn(said ?? '');
  if (status === 'thawed' || status === 'frozen') return status;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the guest agent of ${address} answered ${JSON.stringify(said?.slice(0, SHOWN) ?? null)} to guest-fsfreeze-status, expected thawed or frozen`,
    { details: { domain: address } },
  );
}

function returnedIn(text: string): unknown {
  try {
    const answer: unknown = parseJson(text);
    return typeof answer === 'object' && answer !== null && 'return' in answer ? answer.return : null;
  } catch {
    return null;
  }
}

/** How many file systems it changed; null where another try may have. */
async function thawCertainly(
  { libvirt, domain, address }: FoundDomain,
  limitMs: number,
  why: unknown,
): Promise<number | null> {
  const deadline = Date.now() + limitMs;
  let tries = 0;
  let last: unknown;
  while (tries === 0 || Date.now() < deadline) {
    tries += 1;
    const timeoutMs = Math.max(1, Math.min(THAW_TRY_MS, deadline - Date.now()));
    try {
      if (libvirt.open) {
        const thawed = await libvirt.thaw(domain, { timeoutMs });
        return tries === 1 && why === undefined ? thawed : null;
      }
      await onDomain(address, { timeoutMs }, (again) => again.libvirt.thaw(again.domain, { timeoutMs }));
      return null;
    } catch (error) {
      last = error;
      await delay(THAW_PAUSE_MS);
    }
  }
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the guest of ${address} MAY STILL BE FROZEN: ${tries} tries to thaw it in ${limitMs} ms failed ` +
      `(${last instanceof Error ? last.message : String(last)}); use virsh domfsthaw, or reset the guest`,
    { details: { domain: address, mayBeFrozen: true, tries }, cause: why ?? last },
  );
}
