/** Beginning a session on a running QEMU; whatever fails, nothing stays behind. */
import { randomUUID } from 'node:crypto';
import { CbtError, invalidArgument, throwIfAborted } from '../../../core/errors.js';
import { parsePoint } from '../../../core/point.js';
import { requireUuid } from '../../../core/pointInTime.js';
import type { SessionDisk } from '../../../core/session.js';
import { type BeginOutcome, planBegin, rollback } from '../../../core/tracking.js';
import type { BeginVmOptions, QuiesceOptions } from '../../../core/vm.js';
import { withFrozenGuest } from '../guestFreeze.js';
import { requireSafeExport } from '../ioThreads.js';
import { clearDeadQueries } from '../live/queryServer.js';
import type { QmpClient } from '../qmp/qmpClient.js';
import { QmpTrackingTarget } from '../trackingTarget.js';
import type { WaitOptions } from '../waiting.js';
import { exportScratches, type PlannedDisk, prepareScratches, takeInstant } from './fleece.js';
import { parseId, tagOf } from './ids.js';
import { isAlive, type Lease, type LeaseDisk, ownOwner, readLease, writeLease } from './lease.js';
import { LiveSession, type OpenSessionDisk } from './liveSession.js';
import { isListening, ownSocket, useNbdServer } from './nbdServer.js';
import { makeSessionFolder, requireRoom, scratchLimit } from './scratch.js';
import { findSessions, removeFolder, removeParts, type SessionParts, stopServer } from './teardown.js';

export type BeginSessionOptions = BeginVmOptions;

/** Tags of the sessions that this process is beginning. */
const beginning = new Set<string>();

export async function beginSession(
  client: QmpClient,
  vmSocket: string,
  open: OpenSessionDisk,
  options: BeginSessionOptions = {},
): Promise<LiveSession> {
  const { signal } = options;
  throwIfAborted(signal);
  const pit = options.pit === undefined ? randomUUID() : requireUuid('pit', options.pit);
  const tag = tagOf(pit);
  const base = options.base === undefined ? undefined : parsePoint('base', options.base);
  await clearDeadSessions(client, { signal });
  await clearDeadQueries(client, vmSocket);

  const target = new QmpTrackingTarget({ client, names: options.disks });
  const refused: SessionDisk[] = [];
  const planned: PlannedDisk[] = [];
  const leased: LeaseDisk[] = [];
  for (const tracked of await target.disks(signal)) {
    try {
      if ('error' in tracked) throw tracked.error;
      const { plan, outcome } = planBegin(tracked.state, pit, base, randomUUID);
      const disk = target.nodeOf(tracked.disk);
      await requireSafeExport(client, disk, { signal });
      const index = planned.length;
      planned.push({ index, disk, actions: plan.actions });
      leased.push(toLease(index, disk.formatNode, { ...outcome, disk: tracked.disk }));
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      refused.push({ disk: tracked.disk, error: error.about(tracked.disk) });
    }
  }
  if (planned.length === 0) {
    const first = refused[0]?.error;
    throw (
      first ??
      invalidArgument('disks', options.disks?.join(', ') ?? 'all', 'at least one disk that can be tracked')
    );
  }

  const folder = await makeSessionFolder(vmSocket, options.scratch?.folder);
  let taken = false;
  beginning.add(tag);
  try {
    const room = await scratchLimit(folder, options.scratch ?? {});
    const worst = planned.reduce((sum, { disk }) => sum + disk.sizeBytes, 0);
    if (options.detached && !options.allowUnwatchedScratch) requireRoom(worst, room, folder);
    const lease: Lease = {
      version: 1,
      session: pit,
      mode: 'fleece',
      owner: options.detached ? null : await ownOwner(),
      created: new Date().toISOString(),
      nbdSocket: options.nbdSocket ?? ownSocket(folder),
      ownServer: options.nbdSocket === undefined,
      warnings: [],
      disks: leased,
    };
    await writeLease(folder, lease);
    await prepareScratches(client, { tag, folder, limitBytes: room.limitBytes }, planned, { signal });
    // After the scratches: killed in between, their nodes lead to the record that says whose server it is.
    await useNbdServer(client, folder, options.nbdSocket, { signal });
    // The transaction is not cancelled half-way: whether it happened must be known.
    const instant = async (): Promise<void> => {
      taken = true;
      await takeInstant(client, tag, planned);
    };
    lease.warnings.push(...(await quiesced(options.quiesce, instant, signal)));
    await exportScratches(client, tag, planned, { signal });
    if (lease.warnings.length > 0) await writeLease(folder, lease);
    const session = new LiveSession(client, lease, folder, open, refused);
    await session.check({ signal });
    if (!options.detached) session.watch();
    return session;
  } catch (error) {
    await undo(client, tag, folder, options.nbdSocket === undefined ? ownSocket(folder) : null);
    if (taken) await rollback(namedTarget(client, leased), { pit }).catch(() => undefined);
    throw error;
  } finally {
    beginning.delete(tag);
  }
}

/** The session with this id, begun by whomever. */
export async function resumeSession(
  client: QmpClient,
  sessionId: string,
  open: OpenSessionDisk,
  options?: WaitOptions,
): Promise<LiveSession> {
  const session = requireUuid('session', sessionId);
  const parts = (await findSessions(client, options)).get(tagOf(session));
  const lease = parts?.folder === undefined || parts.folder === null ? null : await readLease(parts.folder);
  if (parts?.folder == null || lease === null || lease.session !== session) {
    throw new CbtError(
      'ERR_CBT_CLOSED',
      `there is no session ${session} on this VM: it has ended, its QEMU was restarted, or its folder is not readable from here`,
      { details: { session } },
    );
  }
  return new LiveSession(client, lease, parts.folder, open);
}

/** Sessions on this VM that hold a new one off; those whose owner is dead are taken down and rolled back. */
export async function clearDeadSessions(client: QmpClient, options?: WaitOptions): Promise<string[]> {
  const cleared: string[] = [];
  for (const [tag, parts] of await findSessions(client, options)) {
    const { folder } = parts;
    if (isBarelyBegun(parts) && !beginning.has(tag)) {
      await removeParts(client, tag, undefined, options);
      continue;
    }
    const lease = folder === null ? null : await readLease(folder);
    const alive = lease === null ? null : lease.owner === null ? true : await isAlive(lease.owner);
    if (lease === null || folder === null || alive !== false) throw heldBy(tag, lease);
    await undo(client, tag, folder, lease.ownServer ? lease.nbdSocket : null);
    await rollback(namedTarget(client, lease.disks), { pit: lease.session });
    cleared.push(lease.session);
  }
  return cleared;
}

function heldBy(tag: string, lease: Lease | null): CbtError {
  const session = lease?.session ?? `${tag}…`;
  const whose =
    lease === null
      ? 'its record cannot be read from here'
      : lease.owner === null
        ? `it was begun ${lease.created} by a command and waits for its end`
        : `process ${lease.owner.pid} on ${lease.owner.host} holds it since ${lease.created}`;
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `session ${session} is open on this VM: ${whose}. End it with commit or rollback --session ${session}, or see qemu-cbt doctor`,
    { reason: 'BUSY', details: { session } },
  );
}

/** `ownServer`: socket of the session's own NBD server, null where it uses another's. */
async function undo(client: QmpClient, tag: string, folder: string, ownServer: string | null): Promise<void> {
  // The nodes go last: as long as there is one, whoever comes next finds the rest.
  await removeParts(client, tag, ({ part }) => part !== 'scratchFile');
  // It may not have been started yet, and another one may run.
  if (ownServer !== null && (await isListening(ownServer))) await stopServer(client);
  await removeParts(client, tag);
  await removeFolder(folder);
}

/** Only a job that makes a scratch file is there: nothing of the guest was touched, and no node tells of a record. */
function isBarelyBegun({ nodes, exports, jobs }: SessionParts): boolean {
  return nodes.length === 0 && exports.length === 0 && jobs.every((id) => parseId(id)?.part === 'create');
}

function namedTarget(client: QmpClient, disks: readonly LeaseDisk[]): QmpTrackingTarget {
  const label = (_: unknown, name: string | undefined): string =>
    disks.find((d) => d.node === name)?.disk ?? String(name);
  return new QmpTrackingTarget({ client, names: disks.map((d) => d.node), label });
}

/** Runs the instant while the guest's file systems are frozen, where that is asked for; returns warnings. */
async function quiesced(
  quiesce: QuiesceOptions | undefined,
  instant: () => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  if (quiesce === undefined) {
    await instant();
    return [];
  }
  let ran = false;
  const once = async (): Promise<void> => {
    ran = true;
    await instant();
  };
  try {
    await withFrozenGuest(quiesce.agentSocket, once, { freezeTimeoutMs: quiesce.timeoutMs, signal });
    return [];
  } catch (error) {
    if (
      quiesce.onFailure !== 'warn' ||
      ran ||
      !(error instanceof CbtError) ||
      error.code === 'ERR_CBT_ABORTED'
    )
      throw error;
    await instant();
    return [`the guest's file systems were not frozen: ${error.message}`];
  }
}

function toLease(index: number, node: string, outcome: BeginOutcome): LeaseDisk {
  const { disk, sizeBytes = 0, verdict, reason, base, epoch, changeId } = outcome;
  return {
    index,
    node,
    disk,
    sizeBytes,
    ...(verdict && { verdict }),
    ...(reason && { reason }),
    ...(base && { base }),
    ...(epoch && { epoch }),
    ...(changeId && { changeId }),
  };
}
