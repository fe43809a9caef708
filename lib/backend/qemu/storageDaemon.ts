/**
 * A short-lived qemu-storage-daemon for images that no VM uses: QEMU itself then changes their bitmaps, and we never
 * write to an image. It is told to quit at the end on every path, for only a clean end stores bitmaps; a kill would
 * leave all of them in use, which is what a crash looks like.
 */
import { rm } from 'node:fs/promises';
import type net from 'node:net';
import { CbtError, retold, throwIfAborted } from '../../core/errors.js';
import { makeMarkedFolder } from '../../linux/markedFolder.js';
import { findProgram } from '../../linux/program.js';
import { RunningProgram } from '../../linux/runningProgram.js';
import { checkTimeout, waitFor } from '../../linux/waiting.js';
import { addImage, type ImageToOpen } from './openForWriting.js';
import { qmp } from './qmp/commands.js';
import { QmpClient } from './qmp/qmpClient.js';
import type { QmpPort } from './qmp/qmpPort.js';

export interface StorageDaemonOptions {
  images: readonly ImageToOpen[];
  /** Stops what is under way; the daemon still ends cleanly. Pass it on to what `fn` does. */
  signal?: AbortSignal | undefined;
  /** For the start and for opening each image, milliseconds; 30 000 unless given. */
  startTimeoutMs?: number | undefined;
  /** For the clean end, which stores all bitmaps; then it is killed. 120 000 unless given. */
  stopTimeoutMs?: number | undefined;
  /** What the daemon said on its stderr, one line without its name, when it ended well all the same. */
  onSaid?: ((words: string) => void) | undefined;
}

/** What `fn` may use beside the connection. */
export interface DaemonPlace {
  /** A folder only we can enter, for sockets and scratch files; removed at the end. */
  folder: string;
}

const PROGRAM = {
  name: 'qemu-storage-daemon',
  variable: 'QEMU_STORAGE_DAEMON',
  packages: 'qemu-system-common (Debian, Ubuntu) or qemu-img (Fedora, RHEL)',
};
const DEFAULT_START_MS = 30_000;
const DEFAULT_STOP_MS = 120_000;

/**
 * Starts the daemon, opens the images, runs `fn`, ends the daemon. Resolves only when it ended with exit code 0, which proves
 * nothing: QEMU 7.2 ends so although it could not store bitmaps, and only says so. Its words decide nothing either, for it
 * also says what harms nobody (leaked clusters): a caller reads the image again.
 */
export async function withStorageDaemon<T>(
  options: StorageDaemonOptions,
  fn: (client: QmpPort, place: DaemonPlace) => Promise<T>,
): Promise<T> {
  const startMs = checkTimeout('startTimeoutMs', options.startTimeoutMs ?? DEFAULT_START_MS);
  const stopMs = checkTimeout('stopTimeoutMs', options.stopTimeoutMs ?? DEFAULT_STOP_MS);
  throwIfAborted(options.signal);
  const file = findProgram(PROGRAM);
  const folder = await makeMarkedFolder('qsd');
  try {
    const daemon = RunningProgram.start(file, [
      '--chardev',
      'socket,id=qmp,fd=3',
      '--monitor',
      'chardev=qmp',
    ]);
    let client: QmpClient | undefined;
    const outcome = await attempt(async () => {
      client = await connect(daemon, startMs, options.signal);
      for (const image of options.images) {
        await addImage(client, image, { timeoutMs: startMs, signal: options.signal });
      }
      return fn(client, { folder });
    });
    const stopped = await attempt(() => stop(daemon, client, stopMs));
    const value = combine(outcome, stopped);
    options.onSaid?.(wordsOf(daemon));
    return value;
  } finally {
    // What was done counts; an empty folder that stays is removed when we are gone.
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** The monitor is a socket pair that the daemon inherited: nobody else can take it, and it breaks when either dies. */
async function connect(
  daemon: RunningProgram,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<QmpClient> {
  const socket = daemon.child.stdio[3] as net.Socket | undefined;
  if (socket === undefined || daemon.pid === undefined) throw didNotStart(daemon, (await daemon.exit).code);
  try {
    return await QmpClient.connect(socket, { timeoutMs, signal, name: `${PROGRAM.name} ${daemon.pid}` });
  } catch (error) {
    if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_BACKEND_UNAVAILABLE') throw error;
    throw didNotStart(daemon, (await daemon.exit).code, error);
  }
}

function didNotStart(daemon: RunningProgram, code: number | null, cause?: unknown): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${PROGRAM.name} did not start (exit code ${code}): ${daemon.stderr.trim() || 'it said nothing'}`,
    { details: { program: PROGRAM.name, exitCode: code }, cause },
  );
}

async function stop(daemon: RunningProgram, client: QmpClient | undefined, timeoutMs: number): Promise<void> {
  if (client?.open) {
    // It may be gone before its answer, or may never have heard it: the signal asks for the same. How it ended is judged below.
    await qmp(client, 'quit', undefined, { timeoutMs }).catch(() => daemon.kill('SIGTERM'));
  } else {
    daemon.kill('SIGTERM');
  }
  const exit = await waitForExit(daemon, timeoutMs);
  // It never came up: why is known already, and it held no image.
  if (client === undefined) return;
  await client.close();
  if (exit.code !== 0) {
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${PROGRAM.name} ended with ${exit.signal ?? `exit code ${exit.code}`}${said(daemon)}; bitmaps may not be stored`,
      { details: { program: PROGRAM.name, exitCode: exit.code, signal: exit.signal } },
    );
  }
}

async function waitForExit(daemon: RunningProgram, timeoutMs: number) {
  try {
    return await waitFor<Awaited<RunningProgram['exit']>>(
      (resolve) => {
        void daemon.exit.then(resolve);
        return () => undefined;
      },
      {
        timeoutMs,
        onTimeout: () =>
          new CbtError(
            'ERR_CBT_TIMEOUT',
            `${PROGRAM.name} did not end in ${timeoutMs} ms and was killed; bitmaps it had open are lost`,
            { details: { program: PROGRAM.name, timeoutMs } },
          ),
      },
    );
  } catch (error) {
    daemon.kill('SIGKILL');
    throw error;
  }
}

/** On one line, without who says it. */
function wordsOf(daemon: RunningProgram): string {
  return daemon.stderr
    .split('\n')
    .map((line) => line.replace(/^\S*qemu-storage-daemon: (\S+: )*(warning: )?/, '').trim())
    .filter((line) => line !== '')
    .join('. ');
}

function said(daemon: RunningProgram): string {
  const text = wordsOf(daemon);
  return text === '' ? '' : ` saying ${JSON.stringify(text)}`;
}

type Outcome<T> = { value: T } | { error: unknown };

async function attempt<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

/** The first failure is the one to tell; a second one is told with it. */
function combine<T>(outcome: Outcome<T>, stopped: Outcome<void>): T {
  if (!('error' in stopped)) {
    if ('error' in outcome) throw asOurs(outcome.error);
    return outcome.value;
  }
  if (!('error' in outcome)) throw stopped.error;
  const { error } = outcome;
  if (!(error instanceof CbtError) || !(stopped.error instanceof Error)) throw error;
  throw asOurs(retold(error, { message: `${error.message}; moreover, ${stopped.error.message}` }));
}

/** The caller has no connection to a daemon of ours that he could make anew: the same call starts another one. */
function asOurs(error: unknown): unknown {
  if (!CbtError.is(error, 'ERR_CBT_CONNECTION_LOST')) return error;
  const { message, disk, details, cause } = error;
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, {
    ...(disk !== undefined && { disk }),
    details,
    cause,
  });
}
