/** What every command is given. */
import type { Command } from 'commander';
import type { CliIo } from './io.js';

/** What a command returns when it is more than success. */
export type CommandResult = { exitCode: number };

export interface CliContext {
  io: CliIo;
  /** Set by the command that ran. */
  result: CommandResult;
  /** The command that runs; none before its options were understood. */
  command?: Command;
}
