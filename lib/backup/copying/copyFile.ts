/** One file into another that may hold the beginning of it already: what an earlier copy wrote before it ended is not sent again. */
import type { FileHandle } from 'node:fs/promises';
import { throwIfAborted } from '../../core/errors.js';
import { openOrMakeRegularFile, openRegularFile } from '../../linux/regularFile.js';
import { onFile } from '../fileFault.js';
import type { RateLimit } from '../rate.js';

const CHUNK_BYTES = 1 << 20;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

export interface CopyFileOptions {
  signal?: AbortSignal | undefined;
  limit?: RateLimit | undefined;
  /** Told bytes that are there, those of an earlier copy too. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * Copies the file; zeros take no room in the copy. Gives whether it went on from what was there: written in order, that is the beginning,
 * unless power was lost meanwhile. Its data is on stable storage afterwards.
 */
export async function copyFileOnto(
  from: string,
  to: string,
  options: CopyFileOptions = {},
): Promise<boolean> {
  const { signal, limit, onBytes } = options;
  await using source = await onFile(from, 'opening', () => openRegularFile(from));
  await using target = await onFile(to, 'creating', () => openOrMakeRegularFile(to, 0o640));
  const { size } = await onFile(from, 'looking', () => source.stat());
  const there = Math.min((await onFile(to, 'looking', () => target.stat())).size, size);
  const start = there - (there % CHUNK_BYTES);
  if (start > 0) onBytes?.(start);
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = start; at < size; ) {
    throwIfAborted(signal);
    const { bytesRead } = await onFile(from, 'reading', () => source.read(buffer, 0, CHUNK_BYTES, at));
    // It was cut meanwhile: whoever holds the copy against its sums says so.
    if (bytesRead === 0) break;
    await limit?.take(bytesRead, signal);
    const chunk = buffer.subarray(0, bytesRead);
    if (at < there || !chunk.equals(ZEROS.subarray(0, bytesRead)))
      await onFile(to, 'writing', () => writeAll(target, chunk, at));
    at += bytesRead;
    onBytes?.(bytesRead);
  }
  await onFile(to, 'writing', async () => {
    await target.truncate(size);
    await target.sync();
  });
  return start > 0;
}

async function writeAll(file: FileHandle, data: Buffer, at: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await file.write(data, done, data.length - done, at + done);
    done += bytesWritten;
  }
}
