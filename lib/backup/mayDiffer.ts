/**
 * Where an image may differ from a disk at a run, told without looking at its data: a run whose instant stands in the image’s chain is
 * what the image was then, so what differs is in the change map since, or in a layer that only one of the two runs has.
 *
 *   run 1 ── run 2 ── run 3            asked for: run 2; stands in the chain: run 3
 *               └──── layer 3 ────┴── changes since run 3
 *
 * Any doubt about the chain is no answer here: everything may differ then, and the data decides.
 */
import { CbtError, type CbtReason, losesChain } from '../core/errors.js';
import type { PitList, TrackedDisk } from '../core/trackedDisk.js';
import { ClusterSet } from './clusterSet.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkStack, placeOf } from './layerFiles.js';
import { placeOfHistory, stands } from './series.js';
import { readSums } from './sums.js';

/** How it was found out what may differ: by the image’s chain and a run that stands in it, or by nothing, so that all data is compared. */
export type FoundBy =
  | { by: 'changes'; base: Layer; reason: null; message: null }
  | { by: 'content'; base: null; reason: CbtReason | null; message: string };

export interface MayDiffer {
  folder: BackupFolder;
  /** The disk at the run that is asked for, the full layer first; checked already. */
  layers: readonly Layer[];
  /** The image, which nobody else writes to. */
  disk: TrackedDisk;
  points: PitList;
  signal: AbortSignal | undefined;
}

/** The clusters of the image, up to `sizeBytes`, that may differ; all of them where its chain does not tell. */
export async function mayDiffer(
  asked: MayDiffer,
  sizeBytes: number,
): Promise<{ wanted: ClusterSet; found: FoundBy }> {
  const { points } = asked;
  const byContent = (reason: CbtReason | null, message: string) => ({
    wanted: new ClusterSet(0, sizeBytes),
    found: { by: 'content', base: null, reason, message } as const,
  });
  const [problem] = points.problems;
  if (points.state === 'untracked') return byContent(null, 'the image has no points in time');
  if (points.state !== 'recording')
    return byContent(problem?.reason ?? null, problem?.message ?? `its tracking is ${points.state}`);
  let first: CbtError | null = null;
  for (const base of basesOf(asked)) {
    try {
      const wanted = ClusterSet.closed(0, sizeBytes);
      await openChanges(asked, base, wanted, sizeBytes);
      return { wanted, found: { by: 'changes', base, reason: null, message: null } };
    } catch (error) {
      if (!isPassedOver(error)) throw error;
      first ??= error;
    }
  }
  return byContent(
    first?.reason ?? null,
    first?.message ?? 'no run that this one shares data with stands in the image’s chain',
  );
}

/** A point that cannot answer, or a run with a damaged stack: another may serve. */
function isPassedOver(error: unknown): error is CbtError {
  return error instanceof CbtError && (losesChain(error) || error.code === 'ERR_CBT_CORRUPT_IMAGE');
}

/** Runs of the image’s history that stand in its chain and build on the same full layer, the newest first. */
function basesOf({ folder, layers, points }: MayDiffer): Layer[] {
  const of = placeOfHistory(folder, points.epoch).series?.layers ?? [];
  const root = layers[0]?.disk.file;
  const known = { epoch: points.epoch, points: points.pits };
  return of.filter((layer) => {
    if (!stands(layer, known)) return false;
    try {
      return folder.stack(layer.run, layer.disk)[0]?.disk.file === root;
    } catch (error) {
      if (isPassedOver(error)) return false;
      throw error;
    }
  });
}

async function openChanges(
  { folder, layers, disk, signal }: MayDiffer,
  base: Layer,
  wanted: ClusterSet,
  sizeBytes: number,
): Promise<void> {
  const stack = folder.stack(base.run, base.disk);
  await checkStack(folder, stack, signal);
  for await (const { offset, length } of await disk.changes({ from: base.run.pit, signal }))
    wanted.open(offset, offset + length);
  let shared = 0;
  while (shared < layers.length && layers[shared]?.disk.file === stack[shared]?.disk.file) shared += 1;
  const apart = [...layers.slice(shared), ...stack.slice(shared)];
  let leastBytes = sizeBytes;
  for (const layer of [...apart, ...layers.slice(-1), base])
    leastBytes = Math.min(leastBytes, layer.disk.sizeBytes);
  // What a disk that shrank had behind its end is zeros when it grows again.
  wanted.open(leastBytes, sizeBytes);
  for (const layer of apart) {
    const { sums } = await placeOf(folder, layer);
    for await (const entries of readSums(sums, layer.disk.sizeBytes, layer.disk.sums))
      for (const { offset, length } of entries) wanted.open(offset, offset + length);
  }
}
