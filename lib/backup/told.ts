/** The calls of the backup program, told on the channel `qemu-cbt:backup` and to the logger that a call was given. */
import { type Logger, logging } from '../watch/logger.js';
import type { BackupMessage } from '../watch/messages.js';
import { traced } from '../watch/tracing.js';

interface About {
  folder: string;
  disk?: string | undefined;
  run?: number | undefined;
}

/** Runs the work and tells of it; `done` fills in what is known at the end. */
export function toldBackup<T>(
  operation: string,
  { folder, disk, run }: About,
  logger: Logger | undefined,
  work: () => Promise<T>,
  done?: (message: BackupMessage, result: T) => void,
): Promise<T> {
  const begun = () => ({ operation, folder, run: run ?? null, ...(disk !== undefined && { disk }) });
  return logging(logger, () => traced('qemu-cbt:backup', begun, work, done));
}
