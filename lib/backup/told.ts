/** The calls of the backup program: with their caller's own time, told on the channel `qemu-cbt:backup` and to the logger that a call was given. */
import type { CallOptions } from '../core/callOptions.js';
import { throwIfAborted } from '../core/errors.js';
import { within } from '../core/within.js';
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

/** Runs the work, and tells of it, how it was late as well; `done` fills in what is known at the end. */
export function toldBackup<Options extends CallOptions & { logger?: Logger | undefined }, T>(
  operation: string,
  { folder, run, ...names }: About,
  options: Options,
  work: (own: Options) => Promise<T>,
  done?: (message: BackupMessage, result: T) => void,
): Promise<T> {
  const begun = () => ({ operation, folder, run: run ?? null, ...names });
  const bounded = (): Promise<T> =>
    within(operation, options, async (own = options) => {
      throwIfAborted(own.signal);
      return await work(own);
    });
  return logging(options.logger, () => traced('qemu-cbt:backup', begun, bounded, done));
}
