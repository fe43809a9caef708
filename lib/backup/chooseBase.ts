/**
 * What a disk's next layer builds on: the newest run of its series whose instant stands in the disk's chain, and whose files
 * are whole. That holds after every crash: a run whose point was rolled back is passed over, and the changes since the run
 * below it are asked instead.
 */
import type { ChangeMap, ChangeMapSelection } from '../core/changeMap.js';
import { CbtError, type CbtReason, losesChain } from '../core/errors.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkStackFiles } from './layerFiles.js';
import { inWords, type Place, stands } from './series.js';
import type { ChainPoint } from './source.js';

/** What a backup of a disk copies, and why. */
export type Verdict =
  | {
      verdict: 'incremental';
      reason: null;
      /** Why it builds on no later run; null where it builds on the newest. */
      message: string | null;
    }
  | {
      verdict: 'full';
      /** Where there is a code for it. */
      reason: CbtReason | null;
      message: string | null;
    };

export type Choice = {
  /** What has to be copied. */
  map: ChangeMap;
} & ((Verdict & { verdict: 'incremental'; base: Layer }) | (Verdict & { verdict: 'full'; base: null }));

/** The verdict alone, of whatever has one. */
export function verdictOf({
  verdict,
  reason,
  message,
}: { verdict: Verdict['verdict'] } & Pick<Verdict, 'message'> & { reason: CbtReason | null }): Verdict {
  return verdict === 'full' ? { verdict, reason, message } : { verdict, reason: null, message };
}

export interface BaseQuestion {
  /** Null where there is none yet. */
  folder: BackupFolder | null;
  place: Place;
  epoch: string | null;
  /** Those that stand in the disk's chain. */
  points: readonly ChainPoint[];
  lost: { reason: CbtReason | null; message: string } | null;
  full: boolean;
  changes: (from: string, selection: ChangeMapSelection) => Promise<ChangeMap>;
  allocated: (selection: ChangeMapSelection) => Promise<ChangeMap>;
  selection: ChangeMapSelection;
}

export async function chooseBase(question: BaseQuestion): Promise<Choice> {
  const { folder, place, full, lost, selection } = question;
  const layers = [place.series, place.joins]
    .flatMap((series) => series?.layers ?? [])
    .sort((x, y) => y.run.run - x.run.run);
  const asFull = async (reason: CbtReason | null, message: string | null): Promise<Choice> => {
    const words = [message, inWords(place)].filter((part) => part !== null).join('; ');
    const map = await question.allocated(selection);
    return { verdict: 'full', reason, message: words === '' ? null : words, base: null, map };
  };
  if (full) return asFull(null, 'asked for');
  if (place.twin !== null) return asFull('OTHER_EPOCH', `${place.twin}: each goes on by itself`);
  // Nothing was expected of a disk that nobody tracked before: there is no loss to tell.
  if (layers.length === 0 && lost?.reason === 'NOT_RECORDING')
    return asFull(null, 'first backup: tracking starts now');
  if (lost !== null) return asFull(lost.reason, lost.message);
  if (layers.length === 0) return asFull(null, 'first backup into this folder');
  let first: CbtError | null = null;
  for (const base of layers) {
    if (base.disk.epoch === null) continue;
    try {
      const from = pointOf(base, question);
      if (folder !== null) await checkStackFiles(folder, folder.stack(base.run, base.disk));
      const map = await question.changes(from, selection);
      const message =
        first === null ? null : `builds on run ${base.run.run}, a later one cannot serve: ${first.message}`;
      return { verdict: 'incremental', reason: null, message, base, map };
    } catch (error) {
      if (!(error instanceof CbtError) || !canPassOver(error)) throw error;
      first ??= error;
    }
  }
  return asFull(first?.reason ?? null, first?.message ?? 'no earlier run of this disk has a point in time');
}

/** The point of a layer in the disk's chain; disks of one run share its UUID, so the history has to be the same too. */
function pointOf(layer: Layer, { epoch, points }: BaseQuestion): string {
  if (stands(layer, { epoch, points })) return layer.run.pit;
  const { run, disk } = layer;
  const of = `run ${run.run}, point in time ${run.pit}`;
  const other = disk.epoch !== epoch;
  throw new CbtError(
    'ERR_CBT_UNKNOWN_PIT',
    other
      ? `${of}, is of the history ${disk.epoch}, and the disk has ${epoch ?? 'none'}`
      : `${of}, does not stand in the disk's chain`,
    { reason: other ? 'OTHER_EPOCH' : 'UNKNOWN_PIT' },
  );
}

/** A point the disk no longer knows, or a run with a broken stack below it: an older run may still serve. */
function canPassOver(error: CbtError): boolean {
  return losesChain(error) || error.code === 'ERR_CBT_CORRUPT_IMAGE';
}
