/**
 * What a disk's next layer builds on: the newest run of the folder whose point in time the disk's chain still answers for.
 * That holds after every crash: a run whose point was rolled back is passed over, and the changes since the run below it
 * are asked instead.
 */
import type { ChangeMap, ChangeMapSelection } from '../core/changeMap.js';
import { CbtError } from '../core/errors.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkLayerFiles } from './layerHeader.js';

export interface Choice {
  verdict: 'incremental' | 'full';
  /** Why a full backup, as a reason code where there is one. */
  reason: string | null;
  /** In words; also for an incremental that had to pass over a run. */
  message: string | null;
  base: Layer | null;
  /** The disk's name in the folder's files; null where it has none yet. */
  key: string | null;
  /** What has to be copied. */
  map: ChangeMap;
}

export interface BaseQuestion {
  folder: BackupFolder;
  disk: string;
  epoch: string | null;
  lost: { reason: string | null; message: string } | null;
  full: boolean;
  /** Keys that other disks of this run have. */
  taken: ReadonlySet<string>;
  changes: (from: string, selection: ChangeMapSelection) => Promise<ChangeMap>;
  allocated: (selection: ChangeMapSelection) => Promise<ChangeMap>;
  selection: ChangeMapSelection;
}

export async function chooseBase(question: BaseQuestion): Promise<Choice> {
  const { full, lost, selection } = question;
  const known = earlierLayers(question);
  const key = known[0]?.disk.key ?? null;
  const candidates = known.filter((layer) => layer.disk.epoch !== null);
  const asFull = async (reason: string | null, message: string | null): Promise<Choice> => ({
    verdict: 'full',
    reason,
    message,
    base: null,
    key,
    map: await question.allocated(selection),
  });
  if (full) return asFull(null, 'asked for');
  if (lost !== null) return asFull(lost.reason, lost.message);
  if (candidates.length === 0) return asFull(null, 'the folder holds no earlier run of this disk');
  let first: CbtError | null = null;
  for (const base of candidates) {
    try {
      if (base.disk.epoch !== question.epoch) throw otherHistory(base, question.epoch);
      await checkLayerFiles(question.folder, question.folder.chain(base.run, base.disk));
      const map = await question.changes(base.run.pit, selection);
      const message =
        first === null ? null : `builds on run ${base.run.run}, a later one cannot serve: ${first.message}`;
      return { verdict: 'incremental', reason: null, message, base, key, map };
    } catch (error) {
      if (!(error instanceof CbtError) || !canPassOver(error)) throw error;
      first ??= error;
    }
  }
  return asFull(first?.reason ?? null, first?.message ?? null);
}

/** The disk's earlier layers, newest first: by its name, or else by the epoch of its chain (a VM's disk backed up by path). */
function earlierLayers({ folder, disk, epoch, taken }: BaseQuestion): Layer[] {
  const all = folder.runs
    .flatMap((run) => run.disks.map((layer): Layer => ({ run, disk: layer })))
    .filter((layer) => !taken.has(layer.disk.key))
    .reverse();
  const named = all.filter((layer) => layer.disk.disk === disk);
  const key = (named[0] ?? all.find((layer) => epoch !== null && layer.disk.epoch === epoch))?.disk.key;
  return all.filter((layer) => layer.disk.key === key);
}

/** Disks of one run share the UUID of its point in time: only the epoch tells whose it is. */
function otherHistory({ run, disk }: Layer, epoch: string | null): CbtError {
  return new CbtError(
    'ERR_CBT_UNKNOWN_PIT',
    `run ${run.run} holds the history ${disk.epoch}, the disk now has ${epoch ?? 'none'}`,
    { reason: 'OTHER_EPOCH' },
  );
}

/** A point the disk no longer knows, or a run with a broken chain below it: an older run may still serve. */
function canPassOver(error: CbtError): boolean {
  return error.fullBackupNeeded || error.code === 'ERR_CBT_CORRUPT_IMAGE';
}
