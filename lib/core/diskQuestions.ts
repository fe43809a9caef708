/** What a disk is asked, and how the options of it are checked. */
import type { CallOptions } from './callOptions.js';
import type { PointName } from './ids.js';
import { type ChangeMapSelection, selectionChecks } from './mapSelection.js';
import { abortSignal, type Checks, flag, milliseconds, point, required } from './options.js';
import type { Instant } from './pointInTime.js';

/** The two points between which changes are asked, and how they are read. */
export interface ChangesOptions extends ChangeMapSelection {
  /**
   * The earlier point: PIT UUID, changeId, exact bitmap name, or `*` for all that holds data. An instant answers only on the
   * disk whose history it belongs to.
   */
  from: PointName | Instant;
  /** The later point; left out: the disk as it is now, or, for a disk of a session, the session's instant. */
  to?: PointName | Instant | undefined;
  /** Be ready to tell data from zeros (`ChangeMap.kinds`); only up to what can be read: now, or a session's instant. */
  kinds?: boolean | undefined;
}

/** How points in time are listed. */
export interface PitsOptions extends CallOptions {
  /** Whether the bytes that changed after each point are counted; they are unless told. */
  count?: boolean | undefined;
}

export const PITS: Checks<PitsOptions> = { signal: abortSignal, timeoutMs: milliseconds, count: flag };
export const CHANGES: Checks<ChangesOptions> = {
  ...selectionChecks,
  from: required(point),
  to: point,
  kinds: flag,
};
