/** What several calls on a folder of backups take. */
import { invalidArgument } from '../core/errors.js';
import { abortSignal, type Check, flag, milliseconds, text } from '../core/options.js';
import type { BackupSource } from './source.js';

/** Disks that are copied at the same time, at most. */
export const MAX_JOBS = 16;

/** A program may bring its own: what is called is looked for. */
export const source: Check = (value, name) => {
  const { facts, openDisk, begin, forget, undo, leavesPoint } = (value ?? {}) as Partial<BackupSource>;
  // A VM has calls of the same names.
  const complete = [facts, openDisk, begin, forget, undo].every((call) => typeof call === 'function');
  if (!complete || typeof leavesPoint !== 'boolean')
    throw invalidArgument(name, value, 'a source, as vmSource and imagesSource make them');
};

export const CLAIM = { adopt: flag, as: text };

/** A call's own signal and time. */
export const CALL = { signal: abortSignal, timeoutMs: milliseconds };
