/** What a call on several disks comes to: thrown where nothing was done, and disk by disk where something was. */
import type { DiskOutcome } from './beginPlan.js';
import { CbtError, type CbtErrorDetails, type DiskFailure, retold } from './errors.js';

interface Outcome {
  disks: readonly DiskOutcome[];
}

/** The outcome, marked where some disks failed; throws {@link nothingDone} where all did. */
export function settled<T extends Outcome>(outcome: T): T & { partial?: true } {
  const failed = failuresOf(outcome.disks);
  const ended = outcome.disks.some(({ trackingEnded }) => trackingEnded === true);
  if (failed.length === 0 || failed.length < outcome.disks.length || ended) return marked(outcome);
  throw nothingDone(failed);
}

/** The outcome, marked where a disk failed. */
export function marked<T extends Outcome>(outcome: T): T & { partial?: true } {
  return failuresOf(outcome.disks).length === 0 ? outcome : { ...outcome, partial: true };
}

/** The error of a call that did nothing: the first disk's that refused, and every disk's in `disks`. At least one. */
export function nothingDone(failed: readonly DiskFailure[]): CbtError {
  const refused = failed.filter(({ error }) => error.code !== 'ERR_CBT_NOT_DONE');
  const [first, ...others] = refused.length === 0 ? failed : refused;
  if (first === undefined) throw new CbtError('ERR_CBT_INTERNAL', 'nothing was done, on no disk');
  const { disk, error } = first;
  const so = others.length === 0 ? '' : `; so did ${others.map((one) => one.disk).join(', ')}`;
  const message =
    failed.length === 1 ? error.message : `nothing was done: ${disk} refused: ${error.message}${so}`;
  return retold(error, { message, disk: error.disk ?? disk, disks: failed, details: staysOn(failed, error) });
}

/** A point that stays on one of the disks is told also where another one refused first. */
function staysOn(failed: readonly DiskFailure[], { details }: CbtError): CbtErrorDetails {
  const told = failed.filter(({ error }) => 'pointStays' in error.details);
  const [first] = told;
  if (first === undefined) return details;
  const pointStaysOn = told.map(({ error }) => error.details['pointStaysOn']).join(', ');
  return { ...details, pointStays: first.error.details['pointStays'] ?? null, pointStaysOn };
}

/** The outcome also where nothing was done, for whoever goes on disk by disk. */
export async function outcomeOf<T extends Outcome>(
  work: Promise<T>,
): Promise<T | { disks: readonly DiskFailure[] }> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof CbtError && error.disks !== undefined) return { disks: error.disks };
    throw error;
  }
}

function failuresOf(disks: readonly DiskOutcome[]): DiskFailure[] {
  return disks.flatMap(({ disk, error }) => (error === undefined ? [] : [{ disk, error }]));
}
