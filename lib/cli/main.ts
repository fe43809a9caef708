/** Entry of the command: builds the program, runs one command, answers with an exit code. Never throws. */
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { CbtError } from '../core/errors.js';
import type { CliContext } from './context.js';
import { exitCodeOf } from './exitCode.js';
import { inFlags } from './inFlags.js';
import type { CliIo } from './io.js';
import { buildProgram } from './program.js';
import { refuseUnreadableArguments } from './rawArguments.js';
import { reportError, toCbtError } from './report.js';
import { exitCodeOfSignal, Signals } from './signals.js';
import { edgeOf } from './terminalText.js';

export async function main(argv: readonly string[], given?: Partial<CliIo>): Promise<number> {
  const signals = new Signals((signal) => {
    process.stderr.write(`${signal} again: ended at once; what is left is cleared up by the next run\n`);
    process.exit(exitCodeOfSignal(signal));
  });
  const io: CliIo = {
    env: process.env,
    signal: signals.signal,
    onHangup: (reload) => signals.onHangup(reload),
    ...given,
    stdout: edgeOf(given?.stdout ?? process.stdout),
    stderr: edgeOf(given?.stderr ?? process.stderr),
  };
  // A reader that closes the pipe is told by the next write; without a listener Node would throw it at the process.
  io.stdout.on('error', () => undefined);
  io.stderr.on('error', () => undefined);
  const context: CliContext = { io, result: { exitCode: 0 } };
  try {
    refuseUnreadableArguments(argv);
    const program = buildProgram(context, readVersion());
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return 2;
    }
    await program.parseAsync([...argv], { from: 'user' });
    return context.result.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const json = argv.includes('--json') || argv.includes('--jsonl');
    const { received } = signals;
    if (received === null || toCbtError(error).code !== 'ERR_CBT_ABORTED')
      return reportError(io, inFlags(toCbtError(error), context.command), json);
    const { inPart = 'what was begun is undone' } = toCbtError(error).details;
    reportError(io, new CbtError('ERR_CBT_ABORTED', `ended by ${received}: ${inPart}`), json);
    return exitCodeOfSignal(received);
  } finally {
    signals.stop();
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
