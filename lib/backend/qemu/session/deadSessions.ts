/**
 * Sessions that QEMU holds and nobody looks after any more: which they are, and how they end. A session that was being
 * committed ends committed, any other is rolled back.
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { parseId } from '../own/ids.js';
import { type Lease, readLease } from '../own/lease.js';
import { findSessions, type SessionParts } from '../own/sessionParts.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { endSession } from './ending.js';
import { isOurs, type Keeper, keeperOf, takingOver } from './owner.js';
import { removeParts } from './teardown.js';

/** A session that QEMU holds parts of. */
export interface HeldSession {
  tag: string;
  parts: SessionParts;
  /** Null where its record cannot be read from here. */
  lease: Lease | null;
  /** 'unbegun': only a job that makes a file, or a node that tries one, is there; nothing of the guest was touched, and nothing tells of a record. */
  keeper: Keeper | 'unbegun';
}

/** Every session of this QEMU, with who looks after it. */
export async function findHeldSessions(client: QmpPort, options?: WaitOptions): Promise<HeldSession[]> {
  const held: HeldSession[] = [];
  for (const [tag, parts] of await findSessions(client, options)) {
    const lease = parts.folder === null ? null : await readLease(parts.folder);
    const unbegun = isBarelyBegun(parts) && !isOurs(tag);
    const known = lease === null || parts.folder === null ? 'unknown' : await keeperOf(parts.folder, lease);
    const keeper = unbegun ? 'unbegun' : known;
    held.push({ tag, parts, lease, keeper });
  }
  return held;
}

/** Ends a session that nobody keeps; returns what is to be told of it, or null where somebody keeps it. */
export async function endDeadSession(
  client: QmpPort,
  { tag, parts: { folder }, lease, keeper }: HeldSession,
  options?: WaitOptions,
): Promise<readonly string[] | null> {
  if (keeper === 'unbegun') {
    await removeParts(client, tag, { exports: true, jobs: () => true, nodes: true }, options);
    return [];
  }
  if (lease === null || folder === null || (keeper !== 'dead' && keeper !== 'alive')) return null;
  return takingOver(folder, lease, async () => {
    // As it stands now that it is ours; without a record somebody else has just ended it.
    const now = await readLease(folder);
    if (now?.session !== lease.session) return [];
    const ended = await endSession(client, { folder, lease: now }, now.ending ?? 'rollback', options);
    return ended.warnings ?? [];
  });
}

/** Ends every session that nobody keeps; throws BUSY for one that holds a new session off. Returns what is to be told. */
export async function clearDeadSessions(client: QmpPort, options?: WaitOptions): Promise<string[]> {
  const told: string[] = [];
  for (const held of await findHeldSessions(client, options)) {
    const ended = await endDeadSession(client, held, options);
    if (ended === null) throw heldBy(held);
    told.push(...ended);
  }
  return told;
}

/**
 * Throws BUSY where another session is there beside this one, whose own nodes are made already: of two that are begun at the
 * same time at most one sees nobody.
 */
export async function requireNoOther(client: QmpPort, tag: string, options?: WaitOptions): Promise<void> {
  const other = (await findHeldSessions(client, options)).find((held) => held.tag !== tag);
  if (other !== undefined) throw heldBy(other);
}

function heldBy({ tag, lease }: HeldSession): CbtError {
  const session = lease?.session ?? `${tag}…`;
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `session ${session} is open on this VM: ${describeKeeper(lease)}. End it with commit or rollback --session ${session}, or see qemu-cbt doctor`,
    { reason: 'BUSY', details: { session } },
  );
}

/** In words, who has a session. */
export function describeKeeper(lease: Lease | null): string {
  if (lease === null) return 'its record cannot be read from here';
  const { owner, machine, created } = lease;
  if (owner === null) return `it was begun ${created} by a command and waits for its end`;
  return `process ${owner.pid} on ${machine.host} holds it since ${created}`;
}

function isBarelyBegun({ nodes, exports, jobs }: SessionParts): boolean {
  // Of nodes, what an overlay is tried with before anything is made.
  return (
    exports.length === 0 &&
    nodes.every((node) => parseId(node)?.part === 'map') &&
    jobs.every((id) => parseId(id)?.part === 'create')
  );
}
