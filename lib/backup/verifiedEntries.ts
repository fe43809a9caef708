/** The data of a layer's entries, read in large strides and handed on entry by entry, each checked against its SHA-256. */
import { createHash } from 'node:crypto';
import type { DiskData } from '../core/diskData.js';
import { CbtError } from '../core/errors.js';
import { ENTRY_BYTES, type SumsEntry } from './sums.js';

const QUEUE_BYTES = 16 << 20;

/** Data of an entry; the reader's only until it asks for the next. */
export interface EntryData {
  offset: number;
  data: Buffer;
}

/** The entries have a sum each, are in order and apart. Throws `ERR_CBT_CORRUPT_IMAGE` at the first that differs. */
export async function* verifiedEntries(
  layer: DiskData,
  path: string,
  entries: readonly SumsEntry[],
  signal: AbortSignal | undefined,
): AsyncGenerator<EntryData, void, undefined> {
  const pairs: number[] = [];
  for (const { offset, length } of entries) {
    const last = pairs.length - 2;
    if (last >= 0 && (pairs[last] ?? 0) + (pairs[last + 1] ?? 0) === offset)
      pairs[last + 1] = (pairs[last + 1] ?? 0) + length;
    else pairs.push(offset, length);
  }
  if (pairs.length === 0) return;
  const whole = Buffer.allocUnsafeSlow(ENTRY_BYTES);
  let index = 0;
  let filled = 0;
  const stream = layer.stream(Float64Array.from(pairs), {
    queueBytes: QUEUE_BYTES,
    lend: true,
    ...(signal === undefined ? {} : { signal }),
  });
  for await (const { offset, data } of stream) {
    for (let at = 0; at < data.length; ) {
      const entry = entries[index];
      if (entry === undefined || offset + at !== entry.offset + filled)
        throw new CbtError('ERR_CBT_INTERNAL', `data of ${path} came out of order at ${offset + at}`);
      const take = Math.min(entry.length - filled, data.length - at);
      const part = data.subarray(at, at + take);
      at += take;
      let complete = part;
      if (take < entry.length) {
        part.copy(whole, filled);
        filled += take;
        if (filled < entry.length) continue;
        complete = whole.subarray(0, entry.length);
      }
      filled = 0;
      index += 1;
      requireSum(path, entry, complete);
      yield { offset: entry.offset, data: complete };
    }
  }
  if (index !== entries.length)
    throw new CbtError(
      'ERR_CBT_INTERNAL',
      `data of ${path} ended after ${index} of ${entries.length} pieces`,
    );
}

function requireSum(path: string, entry: SumsEntry, data: Buffer): void {
  const found = createHash('sha256').update(data).digest('hex');
  if (found === entry.sha256) return;
  throw new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${path} is damaged: bytes ${entry.offset}+${entry.length} have SHA-256 ${found}, written was ${entry.sha256}`,
    { details: { path, offset: entry.offset, length: entry.length } },
  );
}
