/** Beginning a session on a running QEMU; whatever fails, nothing stays behind. */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { CbtError, throwIfAborted } from '../../../core/errors.js';
import { parsePoint } from '../../../core/point.js';
import { parseUuid, requireUuid } from '../../../core/pointInTime.js';
import { pointLeftAfter, withPointLeft } from '../../../core/pointLeft.js';
import type { BeginVmOptions, QuiesceOptions } from '../../../core/vm.js';
import { thisMachine } from '../../../linux/machine.js';
import { syncFolder } from '../../../linux/stable.js';
import { checkSocketPath } from '../../../linux/unixSocket.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { findShortOfRoom } from '../graph/closingRoom.js';
import { QmpTrackingTarget } from '../graph/trackingTarget.js';
import { makeId, tagOf } from '../own/ids.js';
import { type Lease, readLease, writeLease } from '../own/lease.js';
import { clearLeftQueries } from '../own/leftQueries.js';
import { startServer } from '../own/nbdServer.js';
import { makeOwnFolder } from '../own/ownFolder.js';
import { findSessions } from '../own/sessionParts.js';
import { placeOfSocket } from '../own/socketPlace.js';
import type { QemuHost } from '../qemuHost.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { clearDeadSessions, requireNoOther } from './deadSessions.js';
import { endSession } from './ending.js';
import { noSuchSession, readFromQemu, requireTag } from './fromQemu.js';
import { endLostSession, findLostSessions, strandedBecause, uncommittedBelow } from './leftFolders.js';
import { freezeRecordOf } from './leftFreeze.js';
import { LiveSession, type OpenSessionDisk } from './liveSession.js';
import { blockMigration } from './migrationBlocker.js';
import { MODES } from './modes.js';
import { holdSession, isGuarded, letGoOfSession } from './owner.js';
import { clearTextWarnings, planAgain, planSession } from './planning.js';
import { limitedFiles, placesOfFiles, requireRoom, scratchLimit } from './scratch.js';

export type BeginSessionOptions = BeginVmOptions;

export async function beginSession(
  client: QmpPort,
  open: OpenSessionDisk,
  options: BeginSessionOptions = {},
): Promise<LiveSession> {
  const { signal, mode = 'fleece' } = options;
  const { host } = client;
  throwIfAborted(signal);
  const pit = options.pit === undefined ? randomUUID() : requireUuid('pit', options.pit);
  const tag = tagOf(pit);
  const base = options.base === undefined ? undefined : parsePoint('base', options.base);
  await host.refuseMode(mode);
  const found = [...(await clearDeadSessions(client, { signal }))];
  await clearLeftQueries(client, 'dead', { signal });

  const job = await host.otherJob(signal);
  if (job !== null)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `no session can be begun now: ${job}`, {
      reason: 'BUSY',
    });
  const places = await placesOfFiles(client, options.scratch, { signal });
  for (const lost of await findLostSessions(client, places, { signal })) {
    found.push(...((await endLostSession(client, lost, { signal })).warnings ?? []));
    const why = strandedBecause(lost);
    if (why !== null) found.push(`${why.message}: see qemu-cbt doctor`);
  }

  const target = new QmpTrackingTarget({ client, names: options.disks });
  // What is left by now may belong to a process that is not seen from here: its point stays, and nothing is built on it.
  const uncommitted = base === undefined ? await uncommittedBelow(places) : undefined;
  const asked = { pit, base, uncommitted, mode };
  const plan = await planSession(client, target, asked, signal);
  // The backup is right without; only the points in time are at stake, and those of an overlay were refused.
  for (const { disk } of plan.planned) {
    const short = await findShortOfRoom(disk, { signal });
    if (short !== null) found.push(`${disk.id}: ${short.message}, before the VM stops`);
  }
  const disks = plan.planned.map(({ disk }) => disk);
  const parent = options.scratch?.folder ?? (await host.placeFor(mode, disks));
  if (options.nbdSocket !== undefined) checkSocketPath('nbdSocket', options.nbdSocket);
  const folder = await makeOwnFolder(host, parent);
  const lease: Lease = {
    version: 1,
    session: pit,
    vm: host.address,
    key: host.key,
    machine: await thisMachine(),
    mode,
    owner: { pid: process.pid },
    created: new Date().toISOString(),
    taken: false,
    nbdSocket: options.nbdSocket ?? (await placeOfSocket(folder, host)),
    ownServer: options.nbdSocket === undefined,
    warnings: [...found, ...target.passedOver(), ...clearTextWarnings(plan, folder)],
    disks: plan.leased,
  };
  let session: LiveSession | null = null;
  try {
    await holdSession(folder, pit);
    const room = await scratchLimit(client, folder, options.scratch ?? {});
    const worst = plan.planned.reduce((sum, { disk }) => sum + disk.sizeBytes, 0);
    const watched = options.allowUnwatchedScratch !== true;
    if (options.detached && watched && !isGuarded(pit)) requireRoom(worst, room, folder);
    await writeLease(folder, lease);
    await syncFolder(path.dirname(folder));
    const { limitBytes } = room;
    await MODES[mode].prepare(client, { tag, folder, limitBytes }, plan.planned, { signal });
    const limited = client.reconnects ? await limitedFiles(client, { signal }) : [];
    await blockMigration(client, { tag, folder, required: mode === 'overlay' }, { signal });
    // After the files: killed in between, their nodes lead to the record that says whose server it is.
    if (lease.ownServer) await startServer(client, lease.nbdSocket, { signal });
    await requireNoOther(client, tag, { signal });
    const { planned, leased, refused } = await planAgain(client, target, asked, plan, signal);
    lease.disks = leased;
    lease.taken = true;
    await writeLease(folder, lease);
    // The transaction is not cancelled half-way: whether it happened must be known.
    const instant = (): Promise<void> => MODES[mode].take(client, tag, planned);
    lease.warnings.push(...(await quiesced(host, { folder, lease }, options.quiesce, instant, signal)));
    await exportData(client, lease, { signal });
    // From here on it needs nobody; until here it was this process's to finish.
    if (options.detached) lease.owner = null;
    if (options.detached || lease.warnings.length > 0) await writeLease(folder, lease);
    if (options.detached)
      await letGoOfSession(pit, watched && limitBytes < worst ? `watch ${limitBytes}` : 'end');
    session = new LiveSession(client, lease, folder, open, refused);
    await session.check(undefined, { signal });
    if (!options.detached) session.watch(limited);
    return session;
  } catch (error) {
    // What cannot be undone now is its guard's, or leads whoever begins next to it. A session that broke is ending already.
    const undone = session?.rollback() ?? endSession(client, { folder, lease }, 'rollback');
    const left = await undone.then(
      (outcome) => pointLeftAfter(outcome.disks),
      (why: unknown) => lease.disks.map(({ disk }) => ({ disk, why })),
    );
    await letGoOfSession(pit, 'undo');
    throw lease.taken ? withPointLeft(error, pit, left) : error;
  }
}

/** The session with this id, begun by whomever. */
export async function resumeSession(
  client: QmpPort,
  sessionId: string,
  open: OpenSessionDisk,
  options?: WaitOptions,
): Promise<LiveSession> {
  const tag = requireTag(sessionId);
  const folder = (await findSessions(client, options)).get(tag)?.folder ?? null;
  const recorded = folder === null ? null : await readLease(folder);
  // A cleaner of old files may have taken the folder away: QEMU still knows enough to end it.
  const known =
    folder !== null && recorded !== null
      ? { folder, lease: recorded }
      : await readFromQemu(client, tag, options);
  const named = parseUuid(sessionId);
  if (known === null || (named !== null && known.lease.taken && known.lease.session !== named))
    throw noSuchSession(sessionId);
  return new LiveSession(client, known.lease, known.folder, open);
}

/** Exports what shows each disk's instant, read-only and under its own name. */
async function exportData(
  client: QmpPort,
  { session, mode, disks }: Lease,
  options: WaitOptions,
): Promise<void> {
  const tag = tagOf(session);
  for (const disk of disks) {
    const id = makeId('data', tag, disk.index);
    const node = MODES[mode].dataNode(tag, disk);
    const wanted = { type: 'nbd', id, name: id, 'node-name': node, writable: false } as const;
    await qmp(client, 'block-export-add', wanted, options);
  }
}

/** Runs the instant while the guest's file systems are frozen, where that is asked for; returns warnings. */
async function quiesced(
  host: QemuHost,
  { folder, lease }: { folder: string; lease: Lease },
  quiesce: QuiesceOptions | undefined,
  instant: () => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  if (quiesce === undefined) {
    await instant();
    return [];
  }
  const { timeoutMs: freezeTimeoutMs } = quiesce;
  const agent = host.agentAddress(quiesce.agentSocket);
  let ran = false;
  const once = async (_: AbortSignal, frozenFileSystems: number): Promise<void> => {
    if (frozenFileSystems === 0) throw frozeNothing(agent);
    ran = true;
    await instant();
  };
  try {
    const record = freezeRecordOf(folder, lease, agent);
    await host.whileFrozen(agent, once, { record, freezeTimeoutMs, signal });
    return [];
  } catch (error) {
    const harmless =
      error instanceof CbtError && error.code !== 'ERR_CBT_ABORTED' && lease.frozen === undefined;
    if (quiesce.onFailure !== 'warn' || ran || !harmless) throw error;
    await instant();
    return [`the guest's file systems were not frozen: ${error.message}`];
  }
}

/** The caller asked for a quiet guest, and it was none. */
function frozeNothing(agent: string): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the guest agent behind ${agent} froze 0 file systems: none is mounted that can be frozen, or somebody else has frozen them`,
    { details: { socket: agent, frozenFileSystems: 0 } },
  );
}
