/**
 * QMP commands with their types: arguments as QEMU names them, the reply checked before anybody reads it.
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import type { QmpArguments } from './arguments.js';
import { QmpCommandError } from './qmpError.js';
import type { QmpPort } from './qmpPort.js';
import { describeIssues, type QmpCommand, type QmpReply, qmpReplies } from './schemas.js';

/** `args` may be left out where the command takes none. */
type CommandParameters<C extends QmpCommand> = undefined extends QmpArguments[C]
  ? [args?: QmpArguments[C], options?: WaitOptions]
  : [args: QmpArguments[C], options?: WaitOptions];

/**
 * Runs one command. Throws QmpCommandError when QEMU refuses it, ERR_CBT_BACKEND_PROTOCOL when the reply is not what
 * the command promises. After ERR_CBT_TIMEOUT or ERR_CBT_ABORTED the command may still take effect.
 */
export async function qmp<C extends QmpCommand>(
  client: QmpPort,
  command: C,
  ...[args, options]: CommandParameters<C>
): Promise<QmpReply<C>> {
  const reply = await client.execute(command, args, options);
  const checked = qmpReplies[command].safeParse(reply);
  if (!checked.success) {
    const what = describeIssues(checked.error);
    throw new CbtError('ERR_CBT_BACKEND_PROTOCOL', `QEMU's answer to ${command} is not understood: ${what}`, {
      details: { command, socket: client.name },
      cause: checked.error,
    });
  }
  return checked.data as QmpReply<C>;
}

/** What a command answers; null where this QEMU has no such command (a storage daemon has no guest). */
export async function ifKnown<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof QmpCommandError && error.qmpClass === 'CommandNotFound') return null;
    throw error;
  }
}
