/**
 * A set of disk bytes with one array element per byte, and every question a kernel answers asked of it byte by byte: slow,
 * small, and plain enough to be believed. Shares no code with the kernels.
 */
import type { RangePage, Ranges, Window } from '../../lib/core/rangePage.js';

export class Shadow {
  /** 1 for each byte in the set. */
  readonly bytes: Uint8Array;

  constructor(readonly sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }

  static of(sizeBytes: number, ranges: Ranges): Shadow {
    const shadow = new Shadow(sizeBytes);
    for (let i = 0; i < ranges.length; i += 2) shadow.add(ranges[i]!, ranges[i]! + ranges[i + 1]!);
    return shadow;
  }

  /** Marks bytes [start, end), as far as the disk reaches. */
  add(start: number, end: number): this {
    this.bytes.fill(1, Math.min(start, this.sizeBytes), Math.min(end, this.sizeBytes));
    return this;
  }

  /** Byte by byte from two sets of one size. */
  with(other: Shadow, belongs: (inThis: boolean, inOther: boolean) => boolean): Shadow {
    const result = new Shadow(this.sizeBytes);
    for (let at = 0; at < this.sizeBytes; at += 1) {
      if (belongs(this.bytes[at] === 1, other.bytes[at] === 1)) result.bytes[at] = 1;
    }
    return result;
  }

  /** Every granule that holds a byte of the set, in whole. */
  widened(granularityBytes: number): Shadow {
    const result = new Shadow(this.sizeBytes);
    for (let start = 0; start < this.sizeBytes; start += granularityBytes) {
      const end = start + granularityBytes;
      if (this.bytes.subarray(start, end).includes(1)) result.add(start, end);
    }
    return result;
  }

  /** The page of a window, by the words of core/rangePage.ts. */
  page({ startBytes, endBytes, maxRanges }: Window): RangePage {
    const pairs: number[] = [];
    for (let at = startBytes; at < endBytes; at += 1) {
      if (this.bytes[at] !== 1) continue;
      if (at > startBytes && this.bytes[at - 1] === 1) pairs[pairs.length - 1]! += 1;
      else if (pairs.length / 2 === maxRanges) return pageOf(pairs, startBytes, at);
      else pairs.push(at, 1);
    }
    return pageOf(pairs, startBytes, endBytes);
  }

  /** Bytes of the window that are in the set. */
  count(startBytes: number, endBytes: number): number {
    let count = 0;
    for (let at = startBytes; at < endBytes; at += 1) count += this.bytes[at]!;
    return count;
  }

  /** A bit per granule of the window, set when one of its bytes inside the window is. */
  painted(granularityBytes: number, startBytes: number, endBytes: number): Uint8Array {
    const bits: boolean[] = [];
    for (let start = startBytes; start < endBytes; start += granularityBytes) {
      bits.push(this.bytes.subarray(start, Math.min(start + granularityBytes, endBytes)).includes(1));
    }
    return bitsOf(bits.length, (bit) => bits[bit]!);
  }
}

/** Bits as the kernels take them: bit n in byte n >> 3, mask 1 << (n & 7). */
export function bitsOf(count: number, isSet: (bit: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(count / 8));
  for (let bit = 0; bit < count; bit += 1) if (isSet(bit)) bytes[bit >> 3]! |= 1 << (bit & 7);
  return bytes;
}

/** What a bitmap of a disk says; bytes past the bitmap's end are clean. */
export function shadowOfBits(sizeBytes: number, bits: Uint8Array, granularityBytes: number): Shadow {
  const shadow = new Shadow(sizeBytes);
  for (let bit = 0; bit * granularityBytes < sizeBytes && bit < bits.length * 8; bit += 1) {
    if ((bits[bit >> 3]! >> (bit & 7)) & 1) shadow.add(bit * granularityBytes, (bit + 1) * granularityBytes);
  }
  return shadow;
}

export function pageOf(pairs: readonly number[], startBytes: number, nextBytes: number): RangePage {
  return { ranges: Float64Array.from(pairs), startBytes, nextBytes };
}

/** All pages of a window, one after the other with the same cap, put together as one; counts the pages. */
export async function allPages(
  page: (window: Window) => Promise<RangePage>,
  { startBytes, endBytes, maxRanges }: Window,
): Promise<{ page: RangePage; pages: number }> {
  const pairs: number[] = [];
  let pages = 0;
  let at = startBytes;
  do {
    const next = await page({ startBytes: at, endBytes, maxRanges });
    if (next.startBytes !== at) throw new Error(`page starts at ${next.startBytes}, asked for ${at}`);
    if (next.nextBytes <= at && at < endBytes) throw new Error(`page is stuck at ${at}`);
    if (next.ranges.length / 2 > maxRanges) throw new Error(`${next.ranges.length / 2} ranges above the cap`);
    for (const number of next.ranges) pairs.push(number);
    pages += 1;
    at = next.nextBytes;
  } while (at < endBytes);
  return { page: pageOf(pairs, startBytes, at), pages };
}
