/** The content of a snapshot: the session that serves it, and whether a disk of it is still the one that is remembered. */
import type { CallOptions } from '../../core/callOptions.js';
import { instantOf } from '../../core/changeId.js';
import { CbtError, losesChain, trackingLost } from '../../core/errors.js';
import type { Instant } from '../../core/pointInTime.js';
import { isContentGone, type Session } from '../../core/session.js';
import type { Vm } from '../../core/vm.js';
import type { DiskRecord, SnapshotRecord } from '../../host/vmRecord.js';
import { SnapshotFault } from './faultClasses.js';

/** The session of a snapshot. */
export function resumeSnapshot(
  connected: Vm,
  { session }: SnapshotRecord,
  own?: CallOptions,
): Promise<Session> {
  return connected.resume(session, own);
}

/** Throws unless the session's disk is the one of the snapshot: another image may have its name by now, and each has the same PIT. */
export function requireDiskOf(
  { disks, pit }: Session,
  { disk, instant }: Pick<DiskRecord, 'disk' | 'instant'>,
): void {
  const { changeId, error } = disks.find((one) => one.disk === disk) ?? {};
  if (error !== undefined) throw error;
  // What QEMU alone still knows of a session does not tell.
  if (changeId === undefined || instantOf(changeId, pit)?.epoch === instant.epoch) return;
  const what = `${disk} has another history than the disk of the snapshot (${instant.epoch}): it is another disk`;
  throw trackingLost('OTHER_EPOCH', what, { disk });
}

/** Whether the error says that the content is gone, while the disk is the one that it was. */
export function isWrittenOrEnded(error: unknown): error is CbtError {
  return error instanceof CbtError && isContentGone(error) && !losesChain(error);
}

/** The instant that a disk has from a session. */
export function requireInstant(disk: string, changeId: string, pit: string): Instant {
  const instant = instantOf(changeId, pit);
  if (instant !== null) return instant;
  throw new SnapshotFault(`${disk} got no point in time ${pit}`);
}
