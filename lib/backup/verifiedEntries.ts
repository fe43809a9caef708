/** The data of a layer's entries, read ahead and handed on entry by entry, each checked against its SHA-256. */
import { createHash } from 'node:crypto';
import { CbtError, throwIfAborted } from '../core/errors.js';
import type { LayerData } from './layerData.js';
import { ENTRY_BYTES, type SumsEntry } from './sums.js';

/** Entries being read while one is looked at. */
const AHEAD = 8;

/** Memory of entries, used again and again: a new piece for each would wait for the garbage collector. */
const spare: Buffer[] = [];

/** Data of an entry; the reader's only until it asks for the next. */
export interface EntryData {
  offset: number;
  data: Buffer;
}

/** The entries have a sum each, are in order and apart. Throws `ERR_CBT_CORRUPT_IMAGE` at the first that differs. */
export async function* verifiedEntries(
  layer: LayerData,
  entries: readonly SumsEntry[],
  signal: AbortSignal | undefined,
): AsyncGenerator<EntryData, void, undefined> {
  const reading: { entry: SumsEntry; data: Buffer; done: Promise<void> }[] = [];
  let next = 0;
  const start = (): void => {
    const entry = entries[next];
    if (entry === undefined) return;
    next += 1;
    const memory = spare.pop() ?? Buffer.allocUnsafeSlow(ENTRY_BYTES);
    const data = memory.subarray(0, entry.length);
    const done = layer.read(data, entry.offset, signal);
    // Heard when its turn comes, or never when the reader leaves before.
    done.catch(() => undefined);
    reading.push({ entry, data, done });
  };
  try {
    while (reading.length < AHEAD && next < entries.length) start();
    for (let one = reading[0]; one !== undefined; one = reading[0]) {
      throwIfAborted(signal);
      await one.done;
      requireSum(layer.path, one.entry, one.data);
      yield { offset: one.entry.offset, data: one.data };
      reading.shift();
      giveBack(one.data);
      start();
    }
  } finally {
    // The file may be closed, and the memory another's, when we are done.
    await Promise.allSettled(reading.map(({ done }) => done));
    for (const { data } of reading) giveBack(data);
  }
}

function giveBack(data: Buffer): void {
  if (spare.length < 2 * AHEAD) spare.push(Buffer.from(data.buffer, 0, ENTRY_BYTES));
}

export function requireSum(path: string, entry: SumsEntry, data: Buffer): void {
  const found = createHash('sha256').update(data).digest('hex');
  if (found === entry.sha256) return;
  throw new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${path} is damaged: bytes ${entry.offset}+${entry.length} have SHA-256 ${found}, written was ${entry.sha256}`,
    { details: { path, offset: entry.offset, length: entry.length } },
  );
}
