/** What a command may touch of its process: two streams, and whether a person is watching. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { CbtError } from '../core/errors.js';

export interface Terminal {
  /** Columns, where the stream is a terminal; undefined otherwise. */
  columns?: number | undefined;
  isTTY?: boolean | undefined;
}

export interface CliIo {
  stdout: Writable & Terminal;
  stderr: Writable & Terminal;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
  /** The host file that `--host` names; set before a command runs. */
  hostFile?: string | undefined;
  /** What SIGHUP asks for from then on, in place of an end. */
  onHangup?: ((reload: () => void) => void) | undefined;
}

/** Writes with back-pressure; a reader that went away (`| head`) ends the command quietly. */
export async function write(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  if (stream.destroyed || stream.writableEnded) throw new ReaderGone();
  if (stream.write(chunk)) return;
  const waited = new AbortController();
  const { signal } = waited;
  try {
    await Promise.race([
      once(stream, 'drain', { signal }),
      once(stream, 'close', { signal }).then(() => Promise.reject(new ReaderGone())),
    ]);
  } catch (error) {
    throw isGone(error) ? new ReaderGone() : error;
  } finally {
    // The listener that was not called; a long output would gather one a write.
    waited.abort();
  }
}

/** The reader of our output closed it. */
export class ReaderGone extends CbtError {
  constructor() {
    super('ERR_CBT_ABORTED', 'the reader of the output went away');
  }
}

/** Writes, and waits until the system has taken it: for what must not be lost unheard. */
export async function deliver(stream: Writable, text: string): Promise<void> {
  if (stream.destroyed || stream.writableEnded) throw new ReaderGone();
  await new Promise<void>((resolve, reject) => {
    stream.write(text, (error) =>
      error == null ? resolve() : reject(isGone(error) ? new ReaderGone() : error),
    );
  });
}

/** A pipe without a reader; a terminal that is gone. */
function isGone(error: unknown): boolean {
  return ['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Tells what was done. It is done whether or not anybody listens, and the exit code says how it went. */
export async function tell(io: CliIo, text: string): Promise<void> {
  await write(io.stdout, text).catch((error: unknown) => {
    if (!(error instanceof ReaderGone)) throw error;
  });
}

/** The same as one line of JSON. */
export function tellJson(io: CliIo, value: unknown): Promise<void> {
  return tell(io, `${JSON.stringify(value)}\n`);
}

export async function writeJson(io: CliIo, value: unknown): Promise<void> {
  await write(io.stdout, `${JSON.stringify(value)}\n`);
}
