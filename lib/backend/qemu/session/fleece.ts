/**
 * Beginning a fleecing session, step by step; every step that fails is undone by the caller's teardown.
 *
 *   guest ─→ filter ─→ disk (top format node)          reads of the scratch see the instant:
 *              └ old data before it is overwritten ─→ scratch ─backing→ disk        what was saved, else the disk
 *
 * One transaction fixes all disks and their points in time: the backup jobs come first, because each keeps its disk
 * drained to the end of the transaction; then the bitmaps, added before the old ones are disabled, removals last.
 */
import type { BitmapAction as CoreAction } from '../../../core/chainPlan.js';
import { invalidArgument } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { toNodeAction } from '../graph/trackingTarget.js';
import type { TrackableDisk } from '../graph/vmDisk.js';
import { makeId } from '../own/ids.js';
import type { TransactionAction } from '../qmp/arguments.js';
import { capabilitiesOf } from '../qmp/capabilities.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { type BitmapAction, runTransaction } from '../qmp/transaction.js';
import { addScratch } from './scratch.js';

/** A disk that takes part, with what is to be done to its bitmaps. */
export interface PlannedDisk {
  index: number;
  disk: TrackableDisk;
  actions: readonly CoreAction[];
}

/** Makes the scratch files and nodes; nothing of the guest is touched yet. */
export async function prepareScratches(
  client: QmpPort,
  session: { tag: string; folder: string; limitBytes: number },
  disks: readonly PlannedDisk[],
  options?: WaitOptions,
): Promise<void> {
  for (const { index, disk } of disks) {
    const place = { tag: session.tag, folder: session.folder, index };
    const thresholdBytes = shareOf(session.limitBytes, disk, disks);
    const { formatNode: node, sizeBytes } = disk;
    await addScratch(client, { ...place, node, sizeBytes, thresholdBytes }, options);
  }
}

/** One cluster of a file, which each gets whatever its size. A share of nothing would be 0, which is no limit. */
const MIN_SHARE_BYTES = 65_536;

/** A disk's share of the bytes that a session may take; 0 where it can hold the whole disk and need not be watched. */
export function shareOf(
  limitBytes: number,
  { sizeBytes }: TrackableDisk,
  all: readonly PlannedDisk[],
): number {
  const worst = all.reduce((sum, { disk }) => sum + disk.sizeBytes, 0);
  const rest = limitBytes - all.length * MIN_SHARE_BYTES;
  if (rest < 0)
    throw invalidArgument(
      'limitBytes',
      limitBytes,
      `at least ${MIN_SHARE_BYTES} bytes for each of ${all.length} disks`,
    );
  const share = MIN_SHARE_BYTES + (worst === 0 ? 0 : Math.floor((rest * sizeBytes) / worst));
  return share < sizeBytes ? share : 0;
}

/** What is to be done to the bitmaps of all disks; removals, which edit the image file at once, last. */
export function inBitmapOrder(disks: readonly PlannedDisk[]): BitmapAction[] {
  const bitmaps = disks.flatMap(({ disk, actions }) => actions.map((action) => toNodeAction(action, disk)));
  const removals = bitmaps.filter(({ kind }) => kind === 'remove');
  return [...bitmaps.filter(({ kind }) => kind !== 'remove'), ...removals];
}

/** The one transaction: fleecing jobs of all disks, then their bitmaps. */
export async function takeInstant(
  client: QmpPort,
  tag: string,
  disks: readonly PlannedDisk[],
  options?: WaitOptions,
): Promise<void> {
  const capabilities = await capabilitiesOf(client, options);
  capabilities.require('transaction action blockdev-backup', 'blockdev-backup filter-node-name');
  const breaksSnapshot = capabilities.has('blockdev-backup on-cbw-error');
  const backups = disks.map(
    ({ index, disk }): TransactionAction => ({
      type: 'blockdev-backup',
      data: {
        device: disk.formatNode,
        target: makeId('scratch', tag, index),
        sync: 'none',
        'job-id': makeId('job', tag, index),
        'filter-node-name': makeId('filter', tag, index),
        // A job that failed stays to be seen.
        'auto-dismiss': false,
        ...(breaksSnapshot ? { 'on-cbw-error': 'break-snapshot' as const } : {}),
      },
    }),
  );
  await runTransaction(client, [...backups, ...inBitmapOrder(disks)], options);
}

/** States of a fleecing job in which its scratch shows the instant. QEMU pauses jobs for a moment on its own. */
const ALIVE: readonly string[] = ['created', 'running', 'paused', 'ready', 'standby'];

export function isFleecing(status: string): boolean {
  return ALIVE.includes(status);
}

/** Why a scratch no longer shows the session's instant; null while all do. */
export async function findEndedJob(
  client: QmpPort,
  tag: string,
  disks: readonly { index: number; disk: string }[],
  options?: WaitOptions,
): Promise<string | null> {
  const jobs = await qmp(client, 'query-jobs', undefined, options);
  for (const { index, disk } of disks) {
    const job = jobs.find(({ id }) => id === makeId('job', tag, index));
    if (job !== undefined && isFleecing(job.status)) continue;
    const how =
      job === undefined ? 'is gone' : `is ${job.status}${job.error === undefined ? '' : `: ${job.error}`}`;
    return `the fleecing job of ${disk} ${how}`;
  }
  return null;
}
