/** What `doctor` finds, whatever it was looking at. */

/** Something that a process or QEMU left when it ended before its work did. */
export interface Leftover {
  /** False for what is still somebody's, told only so that it is known. */
  problem: boolean;
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
   * @param signal Ends it.
   * @throws `CbtError` where it could not be mended.
   */
  run(signal?: AbortSignal): Promise<void>;
}
