/**
 * What a disk's next layer builds on: the newest run in the target whose instant stands in the disk's chain, and whose objects are all there. A disk
 * is its history, and nothing else: neither a name nor a size ever finds a base.
 */
import type { ChangeMap } from '../../core/changeMap.js';
import { CbtError, type CbtReason, losesChain } from '../../core/errors.js';
import type { ChainPoint, SourceDisk } from '../source.js';
import type { ObjectLayer, ObjectRun } from './objectManifest.js';
import type { ObjectRuns } from './objectRuns.js';

/** What has to be copied of a disk, and on what. */
export interface ObjectChoice {
  verdict: 'incremental' | 'full';
  reason: CbtReason | null;
  message: string | null;
  base: ObjectRun | null;
  map: ChangeMap;
}

export async function chooseObjectBase(
  held: ObjectRuns,
  disk: SourceDisk,
  {
    points,
    twin,
    full,
    signal,
  }: { points: readonly ChainPoint[]; twin: string | null; full: boolean; signal: AbortSignal | undefined },
): Promise<ObjectChoice> {
  const asFull = async (reason: CbtReason | null, message: string): Promise<ObjectChoice> => {
    const map = await disk.allocated({ signal });
    return { verdict: 'full', reason, message, base: null, map };
  };
  if (full) return asFull(null, 'asked for');
  if (twin !== null) return asFull('OTHER_EPOCH', `${twin} has the same history: each goes on by itself`);
  if (disk.lost !== null) return asFull(disk.lost.reason, disk.lost.message);
  let first: CbtError | null = null;
  for (const run of held.runs.toReversed()) {
    const layer = layerOf(run, disk, points);
    if (layer === null) continue;
    try {
      held.stack(layer);
      const map = await disk.changes(run.manifest.pit, { signal });
      const message =
        first === null ? null : `builds on ${run.key}, a later one cannot serve: ${first.message}`;
      return { verdict: 'incremental', reason: null, message, base: run, map };
    } catch (error) {
      if (!(error instanceof CbtError) || !(losesChain(error) || error.code === 'ERR_CBT_CORRUPT_IMAGE'))
        throw error;
      first ??= error;
    }
  }
  const none = 'the target holds no run whose point in time stands in the chain of this disk';
  return asFull(first?.reason ?? null, first?.message ?? none);
}

/** The run's layer of this disk, where its instant stands in the disk's chain: history, number and point together. */
function layerOf(run: ObjectRun, { epoch }: SourceDisk, points: readonly ChainPoint[]): ObjectLayer | null {
  const same = run.manifest.disks.filter((one) => one.epoch !== null && one.epoch === epoch);
  const [disk, another] = same;
  if (disk === undefined || another !== undefined) return null;
  const stands = points.some((one) => one.pit === run.manifest.pit && one.sequence === disk.sequence);
  return stands ? { run, disk } : null;
}
