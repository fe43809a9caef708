/**
 * What a layer holds, piece by piece, with the SHA-256 of each: a text file beside the layer, in order of offset.
 *
 *   qemu-cbt-sums 1 <sizeBytes>
 *   <offset> <length> <sha256 of the bytes, or `zero`>
 *
 * Pieces are whole clusters (the disk's last one may be short); one of data lies within one MiB of the disk. Of a full
 * layer, everything not listed is zero, and nothing is there; of an incremental one, it is what the layer below holds.
 */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';
import { openRegularFile } from '../linux/regularFile.js';
import { isMissing, onFile } from './fileFault.js';
import { CLUSTER_BYTES } from './manifest.js';

export interface SumsEntry {
  offset: number;
  length: number;
  /** SHA-256 in hex; null for zeros. */
  sha256: string | null;
}

/** Most bytes of data in one entry, which never crosses a multiple of it. */
export const ENTRY_BYTES = 1 << 20;

const PART_CHARACTERS = 64 * 1024;
const CHUNK_BYTES = 1 << 18;
const MAX_LINE = 160;
const LINE = /^(0|[1-9]\d{0,15}) ([1-9]\d{0,15}) (zero|[0-9a-f]{64})$/;

/** The first line. */
export function formatSumsHead(sizeBytes: number): string {
  return `qemu-cbt-sums 1 ${sizeBytes}\n`;
}

export function formatSumsEntry({ offset, length, sha256 }: SumsEntry): string {
  return `${offset} ${length} ${sha256 ?? 'zero'}\n`;
}

/** The lines of a sums file while they are made, in parts that are hashed and counted as they are taken. */
export class SumsText {
  readonly #hash: Hash = createHash('sha256');
  #pending: string;
  #bytes = 0;
  #zero: { offset: number; length: number } | null = null;

  constructor(sizeBytes: number) {
    this.#pending = formatSumsHead(sizeBytes);
  }

  /** Adds a piece behind the last one; zeros that touch become one entry. */
  add({ offset, length, sha256 }: SumsEntry): void {
    if (sha256 !== null) {
      this.end();
      this.#pending += formatSumsEntry({ offset, length, sha256 });
    } else if (this.#zero !== null && this.#zero.offset + this.#zero.length === offset)
      this.#zero.length += length;
    else {
      this.end();
      this.#zero = { offset, length };
    }
  }

  /** Nothing will be added behind the last one. */
  end(): void {
    if (this.#zero !== null) this.#pending += formatSumsEntry({ ...this.#zero, sha256: null });
    this.#zero = null;
  }

  /** Whether there is enough for a part. */
  get isFull(): boolean {
    return this.#pending.length >= PART_CHARACTERS;
  }

  /** What there is, to be written. */
  take(): Buffer {
    const part = Buffer.from(this.#pending, 'latin1');
    this.#pending = '';
    this.#hash.update(part);
    this.#bytes += part.length;
    return part;
  }

  /** Of all that was taken. */
  sum(): { sha256: string; bytes: number } {
    return { sha256: this.#hash.copy().digest('hex'), bytes: this.#bytes };
  }
}

export class SumsWriter implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #text: SumsText;

  private constructor(path: string, file: FileHandle, sizeBytes: number) {
    this.#path = path;
    this.#file = file;
    this.#text = new SumsText(sizeBytes);
  }

  static async create(path: string, sizeBytes: number): Promise<SumsWriter> {
    return new SumsWriter(path, await onFile(path, 'creating', () => open(path, 'wx', 0o640)), sizeBytes);
  }

  /** Adds a piece behind the last one. */
  async add(entry: SumsEntry): Promise<void> {
    this.#text.add(entry);
    if (this.#text.isFull) await this.#flush();
  }

  /** Everything is on stable storage afterwards. */
  async finish(): Promise<{ sha256: string; bytes: number }> {
    this.#text.end();
    await this.#flush();
    await onFile(this.#path, 'syncing', () => this.#file.sync());
    return this.#text.sum();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #flush(): Promise<void> {
    const part = this.#text.take();
    await onFile(this.#path, 'writing', () => this.#file.writeFile(part));
  }
}

/** Checks the file as a whole against what the manifest says of it, before anything in it is believed. */
export async function checkSumsFile(
  path: string,
  expected: { sha256: string; bytes: number },
): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  await onFile(path, 'reading', async () => {
    for await (const data of chunksOf(path)) {
      bytes += data.length;
      if (bytes > expected.bytes) break;
      hash.update(data);
    }
  });
  const found = hash.digest('hex');
  if (bytes === expected.bytes && found === expected.sha256) return;
  throw new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${path} is damaged: ${bytes === expected.bytes ? `SHA-256 is ${found}` : `it has another length`}, the manifest says ${expected.bytes} bytes with SHA-256 ${expected.sha256}`,
    { details: { path } },
  );
}

/**
 * The entries in batches, each checked: in order, apart, whole clusters, inside the disk. With `expected` it throws at the end
 * where the file is no longer the one that was checked.
 */
export async function* readSums(
  path: string,
  sizeBytes: number,
  expected?: { sha256: string },
): AsyncGenerator<SumsEntry[], void, undefined> {
  const chunks = { [Symbol.asyncIterator]: () => onFileChunks(path) };
  yield* parseSums(chunks, path, sizeBytes, expected);
}

/** The same of chunks from anywhere; `path` is what they are called. */
export async function* parseSums(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  sizeBytes: number,
  expected?: { sha256: string },
): AsyncGenerator<SumsEntry[], void, undefined> {
  const hash = createHash('sha256');
  let rest = '';
  let line = 0;
  let previousEnd = 0;
  const fail = (what: string): never => {
    throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${path} is damaged: line ${line} ${what}`, {
      details: { path, line },
    });
  };
  const parse = (text: string): SumsEntry | null => {
    line += 1;
    if (line === 1) {
      if (text !== `qemu-cbt-sums 1 ${sizeBytes}`)
        fail(`is ${JSON.stringify(text.slice(0, 80))}, expected "qemu-cbt-sums 1 ${sizeBytes}"`);
      return null;
    }
    const match = LINE.exec(text);
    if (match === null) return fail(`is ${JSON.stringify(text.slice(0, 80))}, expected an entry`);
    const offset = Number(match[1]);
    const length = Number(match[2]);
    const sha256 = match[3] === 'zero' ? null : (match[3] ?? null);
    const end = offset + length;
    if (!Number.isSafeInteger(end) || end > sizeBytes) fail(`ends at ${end}, past the disk's ${sizeBytes}`);
    if (offset < previousEnd) fail(`starts at ${offset}, before the end of the one above, ${previousEnd}`);
    if (offset % CLUSTER_BYTES !== 0 || (end % CLUSTER_BYTES !== 0 && end !== sizeBytes))
      fail(`is ${offset}+${length}, expected whole clusters of ${CLUSTER_BYTES}`);
    if (sha256 !== null && Math.floor(offset / ENTRY_BYTES) !== Math.floor((end - 1) / ENTRY_BYTES))
      fail(`is ${offset}+${length}, expected data within one piece of ${ENTRY_BYTES}`);
    previousEnd = end;
    return { offset, length, sha256 };
  };
  for await (const chunk of chunks) {
    if (expected !== undefined) hash.update(chunk);
    const lines = (rest + latin1(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE) fail('is too long');
    const entries = lines.map(parse).filter((entry) => entry !== null);
    if (entries.length > 0) yield entries;
  }
  if (rest !== '' || line === 0) fail('ends in the middle');
  if (expected !== undefined && hash.digest('hex') !== expected.sha256)
    throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${path} changed while it was read`, { details: { path } });
}

function latin1(chunk: Uint8Array): string {
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
}

/** The chunks of a file, whose failures name it. */
async function* onFileChunks(path: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* chunksOf(path);
  } catch (error) {
    await onFile(path, 'reading', () => Promise.reject(error));
  }
}

/** The file piece by piece; each is the reader's only until it asks for the next. */
async function* chunksOf(path: string): AsyncGenerator<Buffer, void, undefined> {
  const file = await openRegularFile(path).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
    throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${path} is missing`, { details: { path } });
  });
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length, null);
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
