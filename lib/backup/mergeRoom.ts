/**
 * Room for a merge, looked at before it is begun: from then on it is only ever brought to its end, and a folder that waits for
 * room takes no other run meanwhile.
 */
import { lstat } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';
import { freeSpaceIn } from '../linux/freeSpace.js';
import { onFile } from './fileFault.js';
import type { BackupFolder } from './folder.js';
import { CLUSTER_BYTES, type DiskRun } from './manifest.js';

/** Guest bytes of one L2 table, and of one block of reference counts. */
const TABLE_BYTES = (CLUSTER_BYTES / 8) * CLUSTER_BYTES;
const COUNTS_BYTES = (CLUSTER_BYTES / 2) * CLUSTER_BYTES;
/** The record of the merge and two manifests, each written beside the old one; and what a table that grows takes. */
const SMALL_FILES_BYTES = 16 * CLUSTER_BYTES;

/** Throws unless the lower file can grow by all that the upper one adds to it. */
export async function requireMergeRoom(
  folder: BackupFolder,
  below: DiskRun,
  above: DiskRun,
  merged: Pick<DiskRun, 'storedBytes'>,
): Promise<void> {
  // Data that zeros replace keeps its clusters.
  const replaced = Math.min(above.zeroBytes, below.storedBytes);
  const added = Math.max(0, merged.storedBytes - below.storedBytes) + replaced;
  const clusters = Math.ceil(added / CLUSTER_BYTES);
  const tables = Math.min(clusters, Math.ceil(above.sizeBytes / TABLE_BYTES));
  const counts = Math.ceil(added / COUNTS_BYTES) + 1;
  const lower = folder.file(below.file);
  const { nlink, blocks } = await onFile(lower, 'looking', () => lstat(lower));
  // One that has another name is copied first.
  const copied = nlink > 1 ? blocks * 512 : 0;
  const neededBytes = (clusters + tables + counts) * CLUSTER_BYTES + copied + SMALL_FILES_BYTES;
  const { bytes } = await freeSpaceIn(folder.path);
  if (bytes === null || bytes >= neededBytes) return;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${below.file} cannot take ${above.file} in: that may need ${neededBytes} bytes, and ${bytes} are free in ${folder.path}. Nothing was changed; make room first`,
    { details: { errno: 'ENOSPC', neededBytes, freeBytes: bytes, folder: folder.path } },
  );
}
