/** Says that a folder that is looked into for long has no lock that keeps prunes out of it. */
import type { Unheld } from '../backup/reading.js';
import type { CliIo } from './io.js';
import { warn } from './report.js';

export function warnUnheld(io: CliIo): Unheld {
  return (folder) =>
    warn(
      io,
      `${folder} cannot be locked (read-only, full, not ours to write to, or without locks): a prune meanwhile takes away what is read`,
    );
}
