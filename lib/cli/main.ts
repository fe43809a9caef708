/** Entry of the command: builds the program, runs one command, answers with an exit code. Never throws. */
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { exitCodeOf } from './exitCode.js';
import type { CliIo } from './io.js';
import { buildProgram, type CliContext } from './program.js';
import { reportError, toCbtError } from './report.js';

export async function main(argv: readonly string[], given?: Partial<CliIo>): Promise<number> {
  const cancel = new AbortController();
  const onSignal = (): void => cancel.abort(new Error('interrupted'));
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const io: CliIo = {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signal: cancel.signal,
    ...given,
  };
  // A reader that closes the pipe is told by the next write; without a listener Node would throw it at the process.
  io.stdout.on('error', () => undefined);
  io.stderr.on('error', () => undefined);
  const context: CliContext = { io, result: { exitCode: 0 } };
  try {
    const program = buildProgram(context, readVersion());
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return 2;
    }
    await program.parseAsync([...argv], { from: 'user' });
    return context.result.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return reportError(io, error, argv.includes('--json') || argv.includes('--jsonl'));
  } finally {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
  }
}

/** For callers that run a command in process and want the code of an error they caught themselves. */
export function exitCodeOfThrown(error: unknown): number {
  return exitCodeOf(toCbtError(error));
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const version = (manifest as { version?: unknown }).version;
  return typeof version === 'string' ? version : 'unknown';
}
