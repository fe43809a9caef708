/**
 * The sums of two layers put together as one, the upper one winning. Pieces of the lower one that the upper one covers in
 * part are summed up anew, after their whole was checked.
 *
 *   above  [aaaa]     [aaaaaaaaa]
 *   below  [bbbbbbbbbbbbbbbbb]    [bbb]
 *   merged [aaaa][bbb][aaaaaaaaa] [bbb]
 */
import { createHash } from 'node:crypto';
import { CbtError } from '../core/errors.js';
import { CLUSTER_BYTES } from './manifest.js';
import type { SumsEntry } from './sums.js';

/**
 * Passes the upper layer's entries on, which say all that lies behind the lower one's end: growth counts as changed. Where they
 * did not, the file that both are merged into would show what it holds there, or the layer below it.
 */
export async function* coveringGrowth(
  above: AsyncIterable<readonly SumsEntry[]>,
  { from, until, path }: { from: number; until: number; path: string },
): AsyncGenerator<readonly SumsEntry[], void, undefined> {
  let covered = from - (from % CLUSTER_BYTES);
  for await (const batch of above) {
    for (const { offset, length } of batch)
      if (offset <= covered) covered = Math.max(covered, offset + length);
    yield batch;
  }
  if (from >= until || covered >= until) return;
  throw new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${path} says nothing of the bytes from ${covered} on, behind the end of the layer below at ${from}`,
    { details: { path, offset: covered } },
  );
}

/** Reads and checks a piece of the lower layer. */
export type ReadEntry = (entry: SumsEntry) => Promise<Buffer>;

export async function* mergeSums(
  below: AsyncIterable<readonly SumsEntry[]>,
  above: AsyncIterable<readonly SumsEntry[]>,
  sizeBytes: number,
  read: ReadEntry,
): AsyncGenerator<SumsEntry, void, undefined> {
  const upper = flat(above);
  try {
    let next = await upper.next();
    for await (const entry of flat(below)) {
      const end = Math.min(entry.offset + entry.length, sizeBytes);
      const rest = new Remainder(entry, read);
      let at = entry.offset;
      while (!next.done && next.value.offset < end) {
        const { offset, length } = next.value;
        if (offset > at) yield await rest.part(at, offset);
        at = Math.max(at, offset + length);
        // One that reaches past this piece may cover more of the lower layer.
        if (at > end) break;
        yield next.value;
        next = await upper.next();
      }
      if (at < end) yield await rest.part(at, end);
    }
    while (!next.done) {
      yield next.value;
      next = await upper.next();
    }
  } finally {
    // Where it was not read to its end it still has its file open.
    await upper.return();
  }
}

/** What is left of a piece of the lower layer; its data is read once, and only when it is needed. */
class Remainder {
  readonly #entry: SumsEntry;
  readonly #read: ReadEntry;
  #data: Buffer | undefined;

  constructor(entry: SumsEntry, read: ReadEntry) {
    this.#entry = entry;
    this.#read = read;
  }

  async part(start: number, end: number): Promise<SumsEntry> {
    const { offset, length, sha256 } = this.#entry;
    if (sha256 === null) return { offset: start, length: end - start, sha256 };
    if (start === offset && end - start === length) return this.#entry;
    this.#data ??= await this.#read(this.#entry);
    const data = this.#data.subarray(start - offset, end - offset);
    return { offset: start, length: end - start, sha256: createHash('sha256').update(data).digest('hex') };
  }
}

async function* flat(
  batches: AsyncIterable<readonly SumsEntry[]>,
): AsyncGenerator<SumsEntry, void, undefined> {
  for await (const batch of batches) yield* batch;
}
