/** The wiring of what a guest says of itself: through the agent's socket that its VM's entry names. */
import { type GuestFacts, readGuestFacts } from '../backend/qemu/guest/guestFacts.js';
import type { VmEntry } from './hostVm.js';

export type { GuestCard, GuestFacts } from '../backend/qemu/guest/guestFacts.js';

/** For all that is asked: an agent serves one client at a time, and whoever freezes the guest waits for it no more than a few seconds. */
const LIMIT_MS = 1500;

/** Null where no agent is named, or none answers in time: nothing is known of the guest then. */
export async function guestFactsOf(
  { agentSocket }: VmEntry,
  signal?: AbortSignal,
): Promise<GuestFacts | null> {
  if (agentSocket === undefined) return null;
  return readGuestFacts(agentSocket, { timeoutMs: LIMIT_MS, signal }).catch(() => null);
}
