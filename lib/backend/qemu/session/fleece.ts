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
import { capabilitiesOf } from '../capabilities.js';
import { qmp } from '../qmp/commands.js';
import type { QmpClient } from '../qmp/qmpClient.js';
import { toNodeAction } from '../trackingTarget.js';
import { runTransaction, type TransactionAction } from '../transaction.js';
import type { TrackableDisk } from '../vmDisk.js';
import type { WaitOptions } from '../waiting.js';
import { makeId } from './ids.js';
import { addScratch } from './scratch.js';

/** A disk that takes part, with what is to be done to its bitmaps. */
export interface PlannedDisk {
  index: number;
  disk: TrackableDisk;
  actions: readonly CoreAction[];
}

/** Makes the scratch files and nodes; nothing of the guest is touched yet. */
export async function prepareScratches(
  client: QmpClient,
  session: { tag: string; folder: string; limitBytes: number },
  disks: readonly PlannedDisk[],
  options?: WaitOptions,
): Promise<void> {
  const worst = disks.reduce((sum, { disk }) => sum + disk.sizeBytes, 0);
  for (const { index, disk } of disks) {
    // Each disk's share of the limit; a threshold past the disk's own size would never be reached.
    const share = worst === 0 ? 0 : Math.floor((session.limitBytes * disk.sizeBytes) / worst);
    const place = { tag: session.tag, folder: session.folder, index };
    await addScratch(
      client,
      {
        ...place,
        node: disk.formatNode,
        sizeBytes: disk.sizeBytes,
        thresholdBytes: share < disk.sizeBytes ? share : 0,
      },
      options,
    );
  }
}

/** The one transaction: fleecing jobs of all disks, then their bitmaps. */
export async function takeInstant(
  client: QmpClient,
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
  const bitmaps = disks.flatMap(({ disk, actions }) => actions.map((action) => toNodeAction(action, disk)));
  const removals = bitmaps.filter(({ kind }) => kind === 'remove');
  const others = bitmaps.filter(({ kind }) => kind !== 'remove');
  await runTransaction(client, [...backups, ...others, ...removals], options);
}

/** Exports each scratch read-only under its own name; returns the names in order. */
export async function exportScratches(
  client: QmpClient,
  tag: string,
  disks: readonly { index: number }[],
  options?: WaitOptions,
): Promise<void> {
  for (const { index } of disks) {
    const id = makeId('data', tag, index);
    const node = makeId('scratch', tag, index);
    await qmp(
      client,
      'block-export-add',
      { type: 'nbd', id, name: id, 'node-name': node, writable: false },
      options,
    );
  }
}
