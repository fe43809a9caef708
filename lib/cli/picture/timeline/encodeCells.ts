/**
 * Cells as text for a page: base64 of variable-length numbers, seven bits a byte, the low ones first. A cell is the gap from
 * the end of the one before, twice its length (plus one when it is exact), and its changed bytes when it is not; lengths
 * are in units, the largest power of two that divides them all.
 */
import type { Cells } from './cells.js';

export interface EncodedCells {
  /** Bytes that a unit stands for. */
  unit: number;
  text: string;
}

/** Longest number: 2^54 in seven bits a byte. */
const MAX_NUMBER_BYTES = 8;

export function encodeCells({ triples }: Pick<Cells, 'triples'>): EncodedCells {
  const unit = commonUnit(triples);
  const bytes = new Uint8Array(triples.length * MAX_NUMBER_BYTES);
  let at = 0;
  const put = (number: number): void => {
    let left = number;
    for (; left >= 128; left = Math.floor(left / 128)) bytes[at++] = (left % 128) + 128;
    bytes[at++] = left;
  };
  let previousEnd = 0;
  for (let i = 0; i < triples.length; i += 3) {
    const [start = 0, end = 0, changed = 0] = triples.subarray(i, i + 3);
    const exact = changed === end - start;
    put((start - previousEnd) / unit);
    put((2 * (end - start)) / unit + (exact ? 1 : 0));
    if (!exact) put(changed / unit);
    previousEnd = end;
  }
  return { unit, text: Buffer.from(bytes.buffer, 0, at).toString('base64') };
}

function commonUnit(numbers: Float64Array): number {
  let unit = 2 ** 40;
  for (const number of numbers) while (number % unit !== 0) unit /= 2;
  return unit;
}
