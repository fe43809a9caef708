/** Which part of a map is asked for, and how the asking is followed and ended. */
import { abortSignal, byteCount, type Checks, callback, count, milliseconds } from './options.js';
import type { OnProgress } from './progress.js';

/** Which part of a map is read, and how it can be followed and stopped. */
export interface ChangeMapSelection {
  /** First byte asked about; 0 unless told. */
  start?: number | undefined;
  /** At most this many ranges; all unless told. */
  max?: number | undefined;
  /** Ends the question, and every reading of its map. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for the question; readings of its map take their own. */
  timeoutMs?: number | undefined;
  /** Told after every page how far the reading is: bytes of the disk that are done, of all. */
  onProgress?: OnProgress | undefined;
}

/** The checks of its options, for whoever takes them too. */
export const selectionChecks: Checks<ChangeMapSelection> = {
  // Whether it is in the disk is looked at where the size is known.
  start: byteCount,
  max: count,
  signal: abortSignal,
  timeoutMs: milliseconds,
  onProgress: callback,
};
