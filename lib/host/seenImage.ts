/** An image at rest as a session meets it: what can be told of it, whether it can hold a point in time, and what watches it where it cannot. */
import type { CbtError, Problem } from '../core/errors.js';
import type { SessionDisk } from '../core/session.js';
import type { FullDisk } from '../core/tracking.js';
import { watchDisk } from './diskWatch.js';
import { type OffDisk, openOffDisk } from './offDisk.js';
import type { HeldDisk } from './offSession.js';
import { requireWholeStack } from './wholeStack.js';

/** An image that can be read, and why it can hold no point in time (null: it can). */
export interface SeenImage {
  off: OffDisk;
  sizeBytes: number;
  epoch: string | null;
  without: Pick<FullDisk, 'reason' | 'message'> | null;
}

export async function lookAtImage(off: OffDisk, signal: AbortSignal | undefined): Promise<SeenImage> {
  await requireWholeStack(off.path, { ...off.known, signal });
  await using disk = await openOffDisk(off, signal);
  const { sizeBytes, epoch } = await disk.pits({ signal });
  const { format, problem } = await disk.topLayer({ signal });
  const message = `a ${format} image keeps no points in time: every backup is a full one`;
  const without = keepsPoints(format, problem) ? null : { reason: 'FORMAT' as const, message };
  return { off, sizeBytes, epoch, without };
}

export function keepsPoints(format: string, problem: Problem | null): boolean {
  return format === 'qcow2' && problem?.reason !== 'FORMAT';
}

/** An image without a point can still be read: QEMU could not be brought to write to it, or it is only to be looked at. */
export async function watchImage(
  seen: SeenImage,
  refused: CbtError | undefined,
  onlyLook: boolean,
): Promise<HeldDisk> {
  if (refused?.reason === 'BUSY') throw refused;
  const { off, sizeBytes, epoch } = seen;
  const message = `no point in time could be taken: ${refused?.message}`;
  const without =
    refused === undefined
      ? seen.without
      : { ...(refused.reason !== undefined && { reason: refused.reason }), message };
  const { disk } = off;
  const told: SessionDisk =
    without === null
      ? { disk, sizeBytes, verdict: 'unknown', ...(onlyLook && epoch !== null && { epoch }) }
      : { disk, sizeBytes, verdict: 'full', ...without };
  return { off, told, by: { watch: await watchDisk(off) } };
}
