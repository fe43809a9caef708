/**
 * Data out of and into an export as streams. Reading: the addon reads ahead up to a limit and stops there until pieces are
 * taken. Writing: pieces are sent as they come, several at a time, and no more are asked from the source while the limit
 * of bytes is on its way.
 */
import { type CbtError, throwIfAborted } from '../../core/errors.js';
import { onAbort } from '../../core/onAbort.js';
import type { Ranges } from '../../core/rangePage.js';
import type { NativeNbdConnection } from './nbdAddon.js';
import { failureOfOpen } from './nbdError.js';

/** Bytes of the disk at an offset. */
export interface NbdPiece {
  offset: number;
  data: Buffer;
}

export interface ReadStreamOptions {
  /** Largest piece; multiples of 512 bytes, up to 32 MiB. */
  chunkBytes: number;
  /** Read ahead at most this much (and one piece). */
  queueBytes: number;
  signal: AbortSignal | undefined;
}

/** Pieces of the ranges in order of offset. Leaving the loop early ends the reading. */
export async function* readPieces(
  native: NativeNbdConnection,
  job: number,
  ranges: Ranges,
  { chunkBytes, queueBytes, signal }: ReadStreamOptions,
): AsyncGenerator<NbdPiece, void, undefined> {
  throwIfAborted(signal);
  const stop = (): void => native.cancel(job);
  const callOff = onAbort(signal, stop);
  try {
    native.startStream(job, ranges, chunkBytes, queueBytes);
    let taking = take(native, job);
    for (;;) {
      const pieces = await taking;
      if (pieces.length === 0) return;
      // The next ones come while these are worked on.
      taking = take(native, job);
      for (let i = 0; i < pieces.length; i += 2) {
        throwIfAborted(signal);
        yield { offset: pieces[i] as number, data: pieces[i + 1] as Buffer };
      }
    }
  } catch (thrown) {
    throw failureOfOpen(thrown, signal);
  } finally {
    callOff();
    stop();
  }
}

/** A failure is heard by whoever awaits it, which may be later or, when the reader leaves, never. */
function take(native: NativeNbdConnection, job: number): Promise<(number | Buffer)[]> {
  const taking = native.take(job);
  taking.catch(() => undefined);
  return taking;
}

export interface WriteStreamOptions {
  /** At most this many bytes are on their way (and one piece). */
  queueBytes: number;
  signal: AbortSignal | undefined;
}

/**
 * Writes what the source gives with `write`; returns the number of bytes. The first failure stops the asking, waits for
 * what is on its way, and is thrown.
 */
export async function writePieces(
  source:
    | AsyncIterable<{ offset: number; data: Uint8Array }>
    | Iterable<{ offset: number; data: Uint8Array }>,
  write: (offset: number, data: Uint8Array) => Promise<void>,
  { queueBytes, signal }: WriteStreamOptions,
): Promise<number> {
  const running = new Set<Promise<void>>();
  let queued = 0;
  let total = 0;
  let failure: CbtError | undefined;
  const start = (offset: number, data: Uint8Array): void => {
    const bytes = data.length;
    queued += bytes;
    const writing = write(offset, data)
      .catch((thrown: unknown) => {
        failure ??= failureOfOpen(thrown, signal);
      })
      .finally(() => {
        queued -= bytes;
        running.delete(writing);
      });
    running.add(writing);
  };
  try {
    for await (const { offset, data } of source) {
      if (failure !== undefined) break;
      throwIfAborted(signal);
      start(offset, data);
      total += data.length;
      while (queued >= queueBytes && failure === undefined) await Promise.race(running);
      if (failure !== undefined) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure;
  return total;
}
