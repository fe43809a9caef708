/** Programs that a job runs before and after it: no shell, nothing to read, their words on our stderr as they come, and an end when their time is over. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { CbtError } from '../../core/errors.js';
import { onAbort } from '../../core/onAbort.js';
import type { HostJob } from '../../host/hostSchema.js';
import { type CliIo, write } from '../io.js';
import { parseAge } from '../options.js';
import { abortedError } from './jobReport.js';

export type HookName = 'before' | 'after' | 'failed';

const DEFAULT_LIMIT = '1h';
/** From the request to end to the kill. */
const KILL_AFTER_MS = 10_000;
/** What it left in the background may hold its output open: that is not waited for. */
const REST_OF_OUTPUT_MS = 2000;
const MAX_LAST_WORDS = 1024;

/** What a hook is told in its environment. */
export interface HookFacts {
  exitCode: number;
  /** Null where it could not be written. */
  reportPath: string | null;
}

/** Throws where it does not end well, in time; aborted, it is ended. */
export async function runHook(io: CliIo, job: HostJob, name: HookName, facts: HookFacts): Promise<void> {
  const [program, ...args] = job[name] ?? [];
  if (program === undefined) return;
  if (io.signal.aborted) throw abortedError(io.signal);
  const env = {
    ...process.env,
    QEMU_CBT_JOB: job.name,
    QEMU_CBT_EXIT: String(facts.exitCode),
    QEMU_CBT_REPORT: facts.reportPath ?? '',
  };
  // A group of its own, so that what it started ends with it.
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const words = listen(io, child);
  const { hookLimit: limit = DEFAULT_LIMIT } = job;
  const { how, over } = await ended(child, parseAge('hookLimit', limit), io.signal);
  const timer = setTimeout(() => {
    child.stdout.destroy();
    child.stderr.destroy();
  }, REST_OF_OUTPUT_MS);
  await words.heard;
  clearTimeout(timer);
  if (io.signal.aborted) throw abortedError(io.signal);
  if (how === null && !over) return;
  const why = over ? `not ended after ${limit} (hookLimit), and so killed` : how;
  const said = words.last();
  throw new CbtError(
    over ? 'ERR_CBT_TIMEOUT' : 'ERR_CBT_BACKEND_UNAVAILABLE',
    `${name}: ${program} failed: ${why}${said === '' ? '' : `: ${said}`}`,
    { details: { path: program } },
  );
}

/** Passes its words on as they come; `last` are those at the end. */
function listen(
  io: CliIo,
  { stdout, stderr }: { stdout: Readable; stderr: Readable },
): { heard: Promise<unknown>; last: () => string } {
  const ends = new Map<Readable, string>();
  const pass = async (stream: Readable): Promise<void> => {
    try {
      for await (const text of stream.setEncoding('utf8') as AsyncIterable<string>) {
        ends.set(stream, ((ends.get(stream) ?? '') + text).slice(-MAX_LAST_WORDS));
        // Read on where nobody listens to us: it would wait for us otherwise.
        await write(io.stderr, text).catch(() => undefined);
      }
    } catch {
      // Let go: it has ended.
    }
  };
  const endOf = (stream: Readable): string => ends.get(stream)?.trim() ?? '';
  return { heard: Promise.all([pass(stdout), pass(stderr)]), last: () => endOf(stderr) || endOf(stdout) };
}

/** How it ended; `how` is null where that was well, `over` where its time was. */
async function ended(
  child: ChildProcess,
  limitMs: number,
  signal: AbortSignal,
): Promise<{ how: string | null; over: boolean }> {
  let over = false;
  let insist: NodeJS.Timeout | undefined;
  const end = (): void => {
    endGroup(child, 'SIGTERM');
    insist ??= setTimeout(() => endGroup(child, 'SIGKILL'), KILL_AFTER_MS);
  };
  const limit = setTimeout(() => {
    over = true;
    end();
  }, limitMs);
  const callOff = onAbort(signal, end);
  try {
    const how = await new Promise<string | null>((resolve) => {
      child.once('error', ({ message }) => resolve(message));
      child.once('exit', (code, by) => {
        if (code === 0) resolve(null);
        else resolve(by === null ? `exit code ${code}` : `ended by ${by}`);
      });
    });
    // Those of the group that did not hear the request.
    if (insist !== undefined) endGroup(child, 'SIGKILL');
    return { how, over };
  } finally {
    clearTimeout(limit);
    clearTimeout(insist);
    callOff();
  }
}

function endGroup({ pid }: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}
