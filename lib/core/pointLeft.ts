/**
 * A point in time that outlives a failure. Nobody has a backup of it, and whoever begins next without naming a base would build on
 * it: so the failure says which it is, and where.
 */
import { CbtError, type CbtReason } from './errors.js';

/** A disk that may still have the point, and why it could not be taken off. */
export interface PointLeft {
  disk: string;
  why: unknown;
}

/** The failure, saying also what stays: `details.pointStays` is the PIT, `details.pointStaysOn` the disks. As it is where nothing stays. */
export function withPointLeft(error: CbtError, pit: string, left: readonly PointLeft[]): CbtError;
export function withPointLeft(error: unknown, pit: string, left: readonly PointLeft[]): unknown;
export function withPointLeft(error: unknown, pit: string, left: readonly PointLeft[]): unknown {
  if (left.length === 0) return error;
  const {
    code,
    reason,
    disk,
    disks: each,
    details,
  } = error instanceof CbtError ? error : new CbtError('ERR_CBT_INTERNAL', wordsOf(error));
  const where = left.map((one) => `${one.disk} (${wordsOf(one.why)})`).join(' and ');
  const disks = left.map((one) => one.disk);
  const told = `the point in time ${pit} may still be on ${where}. Nobody has a backup of it, and nothing may be built on it: take it off (of images with rollback --session ${pit} ${disks.join(' ')}, of a VM that runs with forget)`;
  return new CbtError(code, `${wordsOf(error)}; moreover, ${told}`, {
    ...(reason !== undefined && { reason }),
    ...(disk !== undefined && { disk }),
    ...(each !== undefined && { disks: each }),
    details: { ...details, pointStays: pit, pointStaysOn: disks.join(', ') },
    cause: error,
  });
}

/** Whether the failure says that its point may stay. */
export function tellsPointLeft(error: unknown): error is CbtError {
  return error instanceof CbtError && 'pointStays' in error.details;
}

/** The failure by itself, for whoever looks at the disks again. */
export function withoutPointLeft(error: unknown): unknown {
  return tellsPointLeft(error) ? withoutPointLeft(error.cause) : error;
}

/**
 * Why a point could not be taken off that nothing can be built on any more: it is not there, or its chain has ended for good. A chain
 * below another layer (`OVERLAY`), or one that cannot be read now, may go on one day, and its point is there then.
 */
const GONE: ReadonlySet<CbtReason | undefined> = new Set<CbtReason>([
  'CRASHED',
  'MISSING',
  'UNKNOWN_PIT',
  'OTHER_EPOCH',
  'NOT_RECORDING',
  'SIZE',
  'VOLATILE',
]);

/** Whether what is wrong with the chain of a point may be over one day, and the point then be the newest of its disk. */
export function mayReturn(reason: CbtReason | undefined): boolean {
  return !GONE.has(reason);
}

/** Where the point may stay after it was taken off. */
export function pointLeftAfter(
  disks: readonly { readonly disk: string; readonly error?: CbtError | undefined }[],
): PointLeft[] {
  return disks.flatMap(({ disk, error }) =>
    error === undefined || !mayReturn(error.reason) ? [] : [{ disk, why: error }],
  );
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
