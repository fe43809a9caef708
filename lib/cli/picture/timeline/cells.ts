/**
 * The ranges of a map in a bounded number of cells, each as exact as the bound allows. A range stays by itself, to the byte,
 * while there is room; when there is none left, cells that lie in one bucket are drawn together and the buckets get twice
 * as wide. A cell is the hull of what went into it, so it says "so many bytes changed somewhere in here", never "nothing".
 *
 *   ranges    [=]   [==]      [====================]     [=]
 *   buckets  |         |         |         |         |         |
 *   cells     [=...==]        [====================]     [=]        3 bytes of 7 changed · exact · exact
 *
 * Of cells inside one bucket at most one is left for each bucket, and a cell that crosses a border is one for each border
 * at most: never more than twice as many cells as buckets. O(ranges · log buckets) at worst, memory for twice the bound.
 */
import type { ChangeMap } from '../../../core/changeMap.js';
import { invalidArgument } from '../../../core/errors.js';

export interface Cells {
  /** Start, end and changed bytes of each, one behind the other; ascending and disjoint. Exact where changed = end - start. */
  triples: Float64Array;
  /** Bytes of the buckets in which cells were drawn together; 0 when every cell is a range. */
  bucketBytes: number;
  changedBytes: number;
  /** Ranges that the map has. */
  areas: number;
}

export async function collectCells(map: ChangeMap, most: number): Promise<Cells> {
  const collector = new CellCollector(map.sizeBytes, map.granularityBytes, most);
  for await (const batch of map.batches())
    for (let i = 0; i < batch.length; i += 2) collector.add(batch[i] ?? 0, batch[i + 1] ?? 0);
  return collector.finish();
}

export class CellCollector {
  readonly #sizeBytes: number;
  readonly #most: number;
  readonly #firstBucketBytes: number;
  readonly #triples: Float64Array;
  #count = 0;
  #bucketBytes = 0;
  #changedBytes = 0;
  #areas = 0;

  /** `most`: cells at the end, at least 4. */
  constructor(sizeBytes: number, granularityBytes: number, most: number) {
    if (!Number.isSafeInteger(most) || most < 4) throw invalidArgument('most', most, 'at least 4 cells');
    this.#sizeBytes = sizeBytes;
    this.#most = most;
    this.#firstBucketBytes = 2 * granularityBytes;
    this.#triples = new Float64Array(3 * 2 * most);
  }

  /** The next range of the map, in order. */
  add(offset: number, length: number): void {
    this.#areas += 1;
    this.#changedBytes += length;
    this.#push(offset, offset + length, length);
    if (this.#count === 2 * this.#most) this.#shrink();
  }

  finish(): Cells {
    if (this.#count > this.#most) this.#shrink();
    return {
      triples: this.#triples.slice(0, 3 * this.#count),
      bucketBytes: this.#bucketBytes,
      changedBytes: this.#changedBytes,
      areas: this.#areas,
    };
  }

  /** Doubles the buckets until what is there fits; ends, because one bucket over the whole disk holds one cell. */
  #shrink(): void {
    while (this.#count > this.#most) {
      const wider = this.#bucketBytes === 0 ? this.#firstBucketBytes : 2 * this.#bucketBytes;
      // Far too many for the bound: every narrower width would be a pass for nothing.
      this.#bucketBytes = Math.max(wider, this.#bucketBytes === 0 ? this.#guess() : 0);
      const count = this.#count;
      this.#count = 0;
      for (let i = 0; i < count; i += 1) this.#push(this.#at(i, 0), this.#at(i, 1), this.#at(i, 2));
    }
  }

  /** A width from which on the bound can be kept is a power of two times the granularity; this is one below it. */
  #guess(): number {
    const seen = this.#at(this.#count - 1, 1) - this.#at(0, 0);
    let bytes = this.#firstBucketBytes;
    while (bytes * 4 * this.#most < seen && bytes < this.#sizeBytes) bytes *= 2;
    return bytes;
  }

  #push(start: number, end: number, changed: number): void {
    const last = this.#count - 1;
    if (this.#bucketBytes > 0 && last >= 0) {
      const first = this.#at(last, 0);
      if (Math.floor(first / this.#bucketBytes) === Math.floor((end - 1) / this.#bucketBytes)) {
        this.#triples[3 * last + 1] = end;
        this.#triples[3 * last + 2] = this.#at(last, 2) + changed;
        return;
      }
    }
    this.#triples.set([start, end, changed], 3 * this.#count);
    this.#count += 1;
  }

  #at(index: number, part: 0 | 1 | 2): number {
    return this.#triples[3 * index + part] ?? 0;
  }
}
