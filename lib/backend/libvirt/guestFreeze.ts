/**
 * Freezing a domain's guest through libvirt, which has the guest's agent: asking that behind its back is not possible. The guest is thawed on
 * every way out, if need be over a new connection.
 */
import { CbtError, throwIfAborted } from '../../core/errors.js';
import {
  type FreezeOptions,
  type FrozenResult,
  frozenBySomebodyElse,
  type GuestName,
  LEFT_THAW_MS,
  thawByTries,
  whileFrozen,
} from '../qemu/guest/frozenWork.js';
import { parseJson } from '../qemu/qmp/json.js';
import type { FoundDomain } from './findDomain.js';
import { onDomain } from './findDomain.js';

const STATUS_SECONDS = 5;
/** Characters of an answer that an error shows. */
const SHOWN = 80;

const nameOf = ({ address }: FoundDomain): GuestName => ({
  what: `the guest of ${address}`,
  details: { domain: address },
  wayOut: 'use virsh domfsthaw',
});

/** The same as `withFrozenGuest`, of a domain. */
export async function whileDomainFrozen<T>(
  found: FoundDomain,
  work: (stop: AbortSignal, frozenFileSystems: number) => Promise<T>,
  options: FreezeOptions = {},
): Promise<FrozenResult<T>> {
  const { libvirt, domain } = found;
  const guest = {
    ...nameOf(found),
    async prepare(signal: AbortSignal | undefined) {
      throwIfAborted(signal);
      if ((await statusOf(found, signal)) !== 'thawed') throw frozenBySomebodyElse(nameOf(found));
    },
    // The connection is the caller's.
    leave: async () => undefined,
    freeze: (limits: { timeoutMs: number; signal: AbortSignal | undefined }) =>
      libvirt.freeze(domain, limits),
    thaw: (timeoutMs: number, why: unknown) => thawCertainly(found, timeoutMs, why),
  };
  return whileFrozen(async () => guest, work, options);
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
async function thawCertainly(found: FoundDomain, limitMs: number, why: unknown): Promise<number | null> {
  const { libvirt, domain, address } = found;
  return thawByTries(nameOf(found), limitMs, why, async (left, isFirst) => {
    const timeoutMs = left();
    if (libvirt.open) {
      const thawed = await libvirt.thaw(domain, { timeoutMs });
      return isFirst && why === undefined ? thawed : null;
    }
    await onDomain(address, { timeoutMs }, (again) => again.libvirt.thaw(again.domain, { timeoutMs }));
    return null;
  });
}
