/**
 * Ending a session, whoever does it and however far somebody else got: every step asks QEMU what there is, and what leads
 * a later process to the session (its file nodes, the folder with the lease) goes last.
 *
 *   exports ─→ jobs (overlays are committed back) ─→ roll back the point in time ─→ NBD server ─→ nodes ─→ folder
 */
import { CbtError } from '../../../core/errors.js';
import { pointLeftAfter, tellsPointLeft } from '../../../core/pointLeft.js';
import { Progress } from '../../../core/progress.js';
import { parseSegmentName } from '../../../core/segmentName.js';
import type { EndSessionOptions } from '../../../core/session.js';
import { rollback, type TrackingOutcome } from '../../../core/tracking.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { listDisks } from '../graph/vmDisks.js';
import { stopServer } from '../own/exports.js';
import { tagOf } from '../own/ids.js';
import { type Lease, writeLease } from '../own/lease.js';
import { isListening } from '../own/nbdServer.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { commitBack } from './commitBack.js';
import { endLeftFreeze } from './leftFreeze.js';
import { letGoOfSession } from './owner.js';
import { targetOf } from './sessionTarget.js';
import { endSpoilt } from './spoiltDisks.js';
import { removeFolder, removeParts } from './teardown.js';

export type Ending = 'commit' | 'rollback';

export interface EndOptions extends WaitOptions {
  onProgress?: EndSessionOptions['onProgress'];
}

/**
 * Ends the session; the lease says afterwards how far it came. Rolled back, what became of the point in time is returned;
 * a disk that no longer has it is as it should be.
 */
export async function endSession(
  client: QmpPort,
  { folder, lease }: { folder: string; lease: Lease },
  how: Ending,
  options?: EndOptions,
): Promise<TrackingOutcome> {
  const tag = tagOf(lease.session);
  // The record needs no new space. A folder that cannot be written all the same keeps nobody from ending: the images prove
  // by their own segments whether they hold everything, and without the record whoever comes after a crash asks a person.
  const note = async (news: Partial<Lease>): Promise<void> => {
    Object.assign(lease, news);
    await writeLease(folder, lease).catch(() => undefined);
  };
  // First of all: every other step can wait, a guest that is frozen cannot.
  const told = await endLeftFreeze({ folder, lease }, client.host, options);
  await note({ ending: how });
  await removeParts(client, tag, { exports: true, jobs: ({ part }) => part === 'create' }, options);
  if (lease.mode === 'overlay') {
    const progress = new Progress('return', options?.onProgress);
    const failed: unknown[] = [];
    for (const [nth, { index, disk, node, image }] of lease.disks.entries()) {
      // One after the other, and each one's size is known when its turn comes: every one counts as much as the first.
      const onBytes = (done: number, total: number): void =>
        progress.tell(disk, nth * total + done, lease.disks.length * total);
      const place = { tag, index, disk, node, image, folder, onBytes: options?.onProgress && onBytes };
      await commitBack(client, place, options).catch((e: unknown) => failed.push(e));
    }
    if (failed.length > 0) throw failed[0];
    await note({ emptied: true });
  } else {
    await removeParts(client, tag, { jobs: () => true }, options);
  }
  const outcome = !lease.taken
    ? nothingDone(lease)
    : how === 'rollback'
      ? await rollBackPoint(client, lease, options)
      : await endSpoilt(client, lease, options);
  // It may not have been started yet, and another one may run.
  if (lease.ownServer && (await isListening(lease.nbdSocket))) await stopServer(client, options);
  await removeParts(client, tag, { nodes: true }, options);
  // A disk that was unplugged, or whose point is held by somebody, may still have it: it leads there whoever comes next.
  const stays = [
    ...pointLeftAfter(outcome.disks),
    ...outcome.disks.filter(({ error }) => tellsPointLeft(error)),
  ];
  const left = lease.disks.filter((d) => stays.some(({ disk }) => disk === d.disk));
  // On those it is nobody's, also where the session was committed.
  if (left.length > 0)
    await writeLease(folder, { ...lease, ending: 'rollback', disks: left }).catch(() => undefined);
  // While the guest may be frozen the record leads whoever comes next to it.
  const record = left.length > 0 || lease.frozen !== undefined;
  await removeFolder(folder, { overlays: holdsNothing(lease), record }).catch((error: unknown) =>
    told.push(
      `the session has ended, but its folder ${folder} stays (${error instanceof Error ? error.message : String(error)}): remove it, or the next session may take its point in time back`,
    ),
  );
  await letGoOfSession(lease.session);
  return told.length === 0 ? outcome : { ...outcome, warnings: [...(outcome.warnings ?? []), ...told] };
}

/** Whether the session's overlays, if it has any, can go without losing what the guest wrote. */
export function holdsNothing({ taken, emptied }: Lease): boolean {
  return !taken || emptied === true;
}

/**
 * Rolls back the session's point in time on every disk that still has it. On one that was overwritten tracking ends: taking the point off makes QEMU
 * write its bitmaps anew, and nothing in the file would tell any more that older points do not fit it.
 */
export async function rollBackPoint(
  client: QmpPort,
  lease: Lease,
  options: WaitOptions | undefined,
): Promise<TrackingOutcome> {
  const spoilt = (await endSpoilt(client, lease, options)).disks.filter(({ error }) => error !== undefined);
  const isSpoilt = ({ disk }: { disk: string }): boolean => spoilt.some((one) => one.disk === disk);
  const whole = { ...lease, disks: lease.disks.filter((one) => !isSpoilt(one)) };
  const rolled = await rollBackWhole(client, whole, options);
  const outcomes = [...spoilt, ...rolled.disks];
  const disks = lease.disks.flatMap(({ disk }) => outcomes.find((one) => one.disk === disk) ?? []);
  return { ...rolled, disks };
}

async function rollBackWhole(
  client: QmpPort,
  lease: Lease,
  options: WaitOptions | undefined,
): Promise<TrackingOutcome> {
  const { disks, session: pit } = lease;
  const nodes = new Set((await listDisks(client, options)).map(({ formatNode }) => formatNode));
  const there = disks.filter(({ node }) => nodes.has(node));
  const { signal } = options ?? {};
  const states = there.length === 0 ? [] : await targetOf(client, there).disks(signal);
  const rolled = there.filter(({ disk }) =>
    states.some(
      (known) =>
        known.disk === disk &&
        ('error' in known ||
          known.state.layers[0]?.bitmaps.some(({ name }) => parseSegmentName(name)?.pit === pit)),
    ),
  );
  const outcome =
    rolled.length === 0 ? nothingDone(lease) : await rollback(targetOf(client, rolled), { pit, signal });
  return {
    pit,
    disks: disks.map(({ disk, node }) => {
      const done = outcome.disks.find((d) => d.disk === disk);
      if (nodes.has(node)) return done ?? { disk };
      const message = `node ${node} is no longer a disk of this VM: its point in time ${pit} could not be rolled back`;
      return { disk, error: new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { disk }) };
    }),
  };
}

function nothingDone({ session, disks }: Lease): TrackingOutcome {
  return { pit: session, disks: disks.map(({ disk }) => ({ disk })) };
}
