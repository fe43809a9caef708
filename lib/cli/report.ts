/** How a command says what went wrong: one line with the code for people, one JSON object for programs; always stderr. */
import { CbtError } from '../core/errors.js';
import { exitCodeOf } from './exitCode.js';
import { type CliIo, ReaderGone } from './io.js';
import { printable } from './terminalText.js';

export { printable } from './terminalText.js';

/** Any thrown value as a CbtError; what is not one is our bug, and says so with its stack. */
export function toCbtError(error: unknown): CbtError {
  if (error instanceof CbtError) return error;
  const shown = error instanceof Error ? error.message : String(error);
  // A system call that failed on a file the user named (an output, say) is not our bug.
  if (error instanceof Error && 'syscall' in error) {
    return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', shown, { cause: error });
  }
  return new CbtError('ERR_CBT_INTERNAL', `unexpected failure, please report it: ${shown}`, { cause: error });
}

/** Says the error and returns the exit code. */
export function reportError(io: CliIo, thrown: unknown, json: boolean): number {
  if (thrown instanceof ReaderGone) return 0;
  const error = toCbtError(thrown);
  const { code, reason, disk, message } = error;
  if (json) {
    io.stderr.write(
      `${JSON.stringify({ error: { code, reason: reason ?? null, disk: disk ?? null, message } })}\n`,
    );
  } else {
    const where = disk === undefined || message.includes(disk) ? '' : `${disk}: `;
    io.stderr.write(
      `error[${code}] ${printable(where + message)}${reason === undefined ? '' : ` [${reason}]`}\n`,
    );
  }
  if (code === 'ERR_CBT_INTERNAL' && error.cause instanceof Error && error.cause.stack)
    io.stderr.write(`${error.cause.stack}\n`);
  return exitCodeOf(error);
}

export function warn(io: CliIo, message: string): void {
  io.stderr.write(`warning: ${printable(message)}\n`);
}
