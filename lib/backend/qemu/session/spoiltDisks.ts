/** Disks of a session whose images were overwritten below their QEMU: what is kept of them is nobody's state. */
import { CbtError } from '../../../core/errors.js';
import { withPointLeft } from '../../../core/pointLeft.js';
import { type DiskOutcome, disable, type TrackingOutcome } from '../../../core/tracking.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { findOverwritten } from '../graph/overwritten.js';
import { listDisks } from '../graph/vmDisks.js';
import type { Lease, LeaseDisk } from '../own/lease.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { targetOf } from './sessionTarget.js';

/**
 * Ends tracking on the session's disks that were overwritten. QEMU would store the session's point into the strange file when it closes it, where
 * nothing tells any more that the data is not the point's; an earlier point fits that data no better.
 */
export async function endSpoilt(
  client: QmpPort,
  { session, disks }: Lease,
  options: WaitOptions | undefined,
): Promise<TrackingOutcome> {
  const now = await listDisks(client, options);
  const outcomes: DiskOutcome[] = [];
  for (const leased of disks) {
    const { disk, node, image: path } = leased;
    const format = now.find((one) => one.formatNode === node)?.format;
    const known = path !== undefined && format !== undefined;
    const error = known ? await findOverwritten(client, { disk, path, format }, options?.signal) : null;
    outcomes.push(error === null ? { disk } : { disk, error: await endOn(client, session, leased, error) });
  }
  return { pit: session, disks: outcomes };
}

async function endOn(client: QmpPort, pit: string, leased: LeaseDisk, error: CbtError): Promise<CbtError> {
  const { disk } = leased;
  try {
    // Not cancelled: half a decision would leave the point.
    const { disks } = await disable(targetOf(client, [leased]));
    for (const done of disks) if (done.error !== undefined) throw done.error;
  } catch (why) {
    return withPointLeft(error, pit, [{ disk, why }]);
  }
  const { code, reason, details } = error;
  return new CbtError(
    code,
    `${error.message}. Tracking has ended on ${disk}: no point in time of it is left in QEMU`,
    { disk, ...(reason !== undefined && { reason }), details: { ...details, trackingEnded: disk } },
  );
}
