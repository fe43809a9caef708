/** Clusters of a window of the disk that are told already, as bits. */
import { CLUSTER_BYTES } from './manifest.js';

/** Bytes of a disk from an offset on. */
export interface Span {
  offset: number;
  length: number;
}

export class ClusterSet {
  readonly #start: number;
  readonly #end: number;
  readonly #bits: Uint8Array;

  /** `start` begins a cluster. */
  constructor(start: number, end: number) {
    this.#start = start;
    this.#end = end;
    this.#bits = new Uint8Array(Math.ceil((end - start) / CLUSTER_BYTES / 8));
  }

  /** One in which everything is told already, but for what is opened again. */
  static closed(start: number, end: number): ClusterSet {
    const set = new ClusterSet(start, end);
    set.#bits.fill(0xff);
    return set;
  }

  /** All clusters of [from, until) are to be told, whatever of them was. */
  open(from: number, until: number): void {
    const first = Math.floor((Math.max(from, this.#start) - this.#start) / CLUSTER_BYTES);
    const last = Math.ceil((Math.min(until, this.#end) - this.#start) / CLUSTER_BYTES);
    for (let cluster = first; cluster < last; cluster += 1) {
      // Eight in one, where they are whole.
      if ((cluster & 7) === 0 && cluster + 8 <= last) {
        this.#bits[cluster >> 3] = 0;
        cluster += 7;
      } else this.#bits[cluster >> 3] = (this.#bits[cluster >> 3] ?? 0) & ~(1 << (cluster & 7));
    }
  }

  /** A copy of the part from `start`, which begins eight clusters, to `end`. */
  part(start: number, end: number): ClusterSet {
    const set = new ClusterSet(start, end);
    const at = (start - this.#start) / CLUSTER_BYTES / 8;
    set.#bits.set(this.#bits.subarray(at, at + set.#bits.length));
    return set;
  }

  /** The parts of [from, until) that were not told yet, and still are not. `from` begins a cluster. */
  left(from: number, until: number): Generator<Span, void, undefined> {
    return this.#parts(from, until, false);
  }

  /** The parts of [from, until) that were not told yet; they are when they are given. `from` begins a cluster. */
  take(from: number, until: number): Generator<Span, void, undefined> {
    return this.#parts(from, until, true);
  }

  /** What was never told. */
  gaps(): Generator<Span, void, undefined> {
    return this.#parts(this.#start, this.#end, false);
  }

  *#parts(from: number, until: number, mark: boolean): Generator<Span, void, undefined> {
    const end = Math.min(until, this.#end);
    let last: Span | null = null;
    for (let offset = from; offset < end; offset += CLUSTER_BYTES) {
      const cluster = (offset - this.#start) / CLUSTER_BYTES;
      const byte = this.#bits[cluster >> 3] ?? 0;
      const bit = 1 << (cluster & 7);
      if ((byte & bit) !== 0) {
        if (last !== null) yield last;
        last = null;
        continue;
      }
      if (mark) this.#bits[cluster >> 3] = byte | bit;
      const length = Math.min(CLUSTER_BYTES, end - offset);
      if (last === null) last = { offset, length };
      else last.length += length;
    }
    if (last !== null) yield last;
  }
}
