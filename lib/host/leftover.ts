/** What `doctor` finds, whatever it was looking at. */

import { inCallersTime } from '../core/callersTime.js';
import type { CallOptions } from '../core/callOptions.js';

/** Something that a process or QEMU left when it ended before its work did. */
export interface Leftover {
  /** False for what is still somebody's, told only so that it is known. */
  problem: boolean;
  /** What was found, in words. */
  message: string;
  /** What a person can do about it. */
  advice?: string;
  /** What mending does, and the doing; null where nothing is safe to do without a person's decision. */
  mend: LeftoverMending | null;
}

/** How a leftover is mended. */
export interface LeftoverMending {
  /** In words, for a dry run. */
  what: string;
  /**
   * Does it.
   * @param options Whose signal ends it, and how long it may take; it can be done again then.
   * @throws `CbtError` where it could not be mended.
   */
  run(options?: CallOptions): Promise<void>;
}

/** A mending with its caller's own time. */
export function mending(
  what: string,
  mend: (signal: AbortSignal | undefined) => Promise<void>,
): LeftoverMending {
  return { what, run: (options) => inCallersTime('mending', options, ({ signal }) => mend(signal)) };
}
