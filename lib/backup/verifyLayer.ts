/**
 * Every byte of a layer against its sums, read as a restore reads it, and that the layer holds what its sums say and nothing
 * else: whatever more it held would hide the layer below, and a zero that is not marked lets it shine through.
 */
import { CbtError, throwIfAborted } from '../core/errors.js';
import { checkImageFile } from '../host/imageCheck.js';
import type { Layer } from './folder.js';
import { type HeldSpan, LayerData } from './layerData.js';
import type { LayerPlace } from './layerFiles.js';
import { ENTRY_BYTES, readSums, type SumsEntry } from './sums.js';
import { verifiedEntries } from './verifiedEntries.js';

export interface VerifyLayerOptions {
  signal: AbortSignal | undefined;
  /** Told bytes of data that were compared. */
  onBytes: (bytes: number) => void;
  /** Told what is untidy and loses nothing. */
  onNote: (message: string) => void;
}

/** Throws `ERR_CBT_CORRUPT_IMAGE` at the first thing that is not as it was written; headers and sums file were checked. */
export async function verifyLayer(
  { disk }: Layer,
  { files, sums }: LayerPlace,
  { signal, onBytes, onNote }: VerifyLayerOptions,
): Promise<void> {
  for (const { path } of files) {
    const { leakedClusters } = await checkImageFile(path, signal);
    if (leakedClusters > 0)
      onNote(`${leakedClusters} cluster(s) are taken and not used; they cost room only`);
  }
  await using data = await LayerData.open(files);
  const content = new ContentCheck(data, disk.verdict === 'full', signal);
  for await (const entries of readSums(sums, disk.sizeBytes, disk.sums)) {
    await content.check(entries);
    const stored = entries.filter(({ sha256 }) => sha256 !== null);
    for await (const piece of verifiedEntries(data, stored, signal)) onBytes(piece.data.length);
  }
  await content.finish(disk.sizeBytes);
}

class ContentCheck {
  readonly #data: LayerData;
  readonly #full: boolean;
  readonly #signal: AbortSignal | undefined;
  #at = 0;

  constructor(data: LayerData, full: boolean, signal: AbortSignal | undefined) {
    this.#data = data;
    this.#full = full;
    this.#signal = signal;
  }

  /** The next entries: what is held up to their end lies within them and, unless nothing is below, covers them. */
  async check(entries: readonly SumsEntry[]): Promise<void> {
    const last = entries.at(-1);
    if (last === undefined) return;
    const end = last.offset + last.length;
    const rest = entries[Symbol.iterator]();
    let entry = rest.next().value as SumsEntry | undefined;
    /** The entry's bytes up to here are held. */
    let covered = entry?.offset ?? 0;
    const leave = (): void => {
      if (entry === undefined) return;
      if (!this.#full && covered < entry.offset + entry.length)
        throw this.#damaged(covered, entry.offset + entry.length - covered, 'are missing in the layer');
      entry = rest.next().value as SumsEntry | undefined;
      covered = entry?.offset ?? 0;
    };
    for await (const span of this.#data.held(this.#at, end)) {
      throwIfAborted(this.#signal);
      for (let at = span.offset; at < span.offset + span.length; ) {
        while (entry !== undefined && entry.offset + entry.length <= at) leave();
        if (entry === undefined || entry.offset > at) throw this.#neverWritten(at, span);
        if (!this.#full && covered < at)
          throw this.#damaged(covered, at - covered, 'are missing in the layer');
        const until = Math.min(span.offset + span.length, entry.offset + entry.length);
        if (entry.sha256 === null && !span.zero) await this.#requireZeros(at, until);
        covered = until;
        at = until;
      }
    }
    while (entry !== undefined) leave();
    this.#at = end;
  }

  async finish(sizeBytes: number): Promise<void> {
    for await (const span of this.#data.held(this.#at, sizeBytes))
      throw this.#neverWritten(span.offset, span);
  }

  async #requireZeros(start: number, end: number): Promise<void> {
    for (let at = start; at < end; at += ENTRY_BYTES) {
      const bytes = Buffer.allocUnsafe(Math.min(ENTRY_BYTES, end - at));
      await this.#data.read(bytes, at, this.#signal);
      if (bytes.some((byte) => byte !== 0))
        throw this.#damaged(at, bytes.length, 'are not zeros, as they were written');
    }
  }

  #neverWritten(at: number, span: HeldSpan): CbtError {
    return this.#damaged(at, span.offset + span.length - at, 'are there, and were never written');
  }

  #damaged(offset: number, length: number, what: string): CbtError {
    const { path } = this.#data;
    return new CbtError('ERR_CBT_CORRUPT_IMAGE', `${path} is damaged: bytes ${offset}+${length} ${what}`, {
      details: { path, offset, length },
    });
  }
}
