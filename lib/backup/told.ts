/** The calls of the backup program, told on the channel `qemu-cbt:backup` and to the logger that a call was given. */
import { type Logger, logging } from '../watch/logger.js';
import type { BackupMessage } from '../watch/messages.js';
import { traced } from '../watch/tracing.js';

/** What a call is of, as far as it is known before; what is not given comes from the work around it. */
interface About {
  folder: string;
  vm?: string | undefined;
  disk?: string | undefined;
  pit?: string | undefined;
  session?: string | undefined;
  run?: number | undefined;
}

/** Runs the work and tells of it; `done` fills in what is known at the end. */
export function toldBackup<T>(
  operation: string,
  { folder, run, ...names }: About,
  logger: Logger | undefined,
  work: () => Promise<T>,
  done?: (message: BackupMessage, result: T) => void,
): Promise<T> {
  const begun = () => ({ operation, folder, run: run ?? null, ...names });
  return logging(logger, () => traced('qemu-cbt:backup', begun, work, done));
}
