/**
 * A disk with a past: what it held at each point in time, page by page, and which blocks were touched since. Zones of pages
 * stand for the disk, so that one of more than 128 GiB can be compared byte by byte.
 */
import { PAGE, pageOfValue, valueOfPage } from './guestWriter.js';

export const BLOCK = 65_536;
const GIB = 2 ** 30;

/** Where the quiet pages are: at the start, and around 128 GiB. */
export const QUIET_ZONES: readonly { start: number; pages: number }[] = [
  { start: 0, pages: 256 },
  { start: 128 * GIB - 64 * PAGE, pages: 128 },
];
/** Where a guest writes all the time. */
export const NOISE = { zoneBytes: 8 * 2 ** 20, pages: 96 };

/** The disk at a point in time. */
export interface Moment {
  sizeBytes: number;
  /** Value by offset of a page; absent: zeros. */
  pages: ReadonlyMap<number, number>;
  /** How many touches and resizes had surely been, and how many may have been. */
  surely: number;
  maybe: number;
}

export class HistoryDisk {
  readonly pages = new Map<number, number>();
  /** Every touch in order: a byte range, and growth as one. */
  readonly touches: { start: number; end: number }[] = [];
  /** Every size the disk had, with the number of touches before it. */
  readonly sizes: { at: number; sizeBytes: number }[];

  constructor(
    readonly name: string,
    public sizeBytes: number,
  ) {
    this.sizes = [{ at: 0, sizeBytes }];
  }

  touch(offset: number, length: number): void {
    this.touches.push({ start: offset, end: offset + length });
  }

  /** Offsets of the quiet pages that the disk reaches. */
  quietPages(): number[] {
    return QUIET_ZONES.flatMap(({ start, pages }) =>
      Array.from({ length: pages }, (_, i) => start + i * PAGE),
    ).filter((offset) => offset + PAGE <= this.sizeBytes);
  }

  /** What to read to know the disk: quiet zones as far as they reach, and the noisy one. */
  zones(): Float64Array {
    const quiet = QUIET_ZONES.map(({ start, pages }) => {
      const reached = Math.floor(Math.min(pages * PAGE, Math.max(this.sizeBytes - start, 0)) / PAGE);
      return { start, length: reached * PAGE };
    });
    const noise = { start: NOISE.zoneBytes, length: NOISE.pages * PAGE };
    const all = [...quiet, noise].filter(({ length }) => length > 0).sort((x, y) => x.start - y.start);
    return Float64Array.from(all.flatMap(({ start, length }) => [start, length]));
  }

  /** Bytes of the zones, one behind the other, as pages. */
  pagesOf(bytes: Buffer): Map<number, number> {
    const pages = new Map<number, number>();
    const zones = this.zones();
    let at = 0;
    for (let i = 0; i < zones.length; i += 2)
      for (let offset = zones[i]!; offset < zones[i]! + zones[i + 1]!; offset += PAGE, at += PAGE) {
        const value = valueOfPage(bytes.subarray(at, at + PAGE));
        if (value !== 0) pages.set(offset, value);
      }
    return pages;
  }

  set(offset: number, value: number): void {
    if (value === 0) this.pages.delete(offset);
    else this.pages.set(offset, value);
  }

  resize(sizeBytes: number): void {
    if (sizeBytes > this.sizeBytes) this.touch(this.sizeBytes, sizeBytes - this.sizeBytes);
    for (const offset of [...this.pages.keys()]) if (offset + PAGE > sizeBytes) this.pages.delete(offset);
    this.sizeBytes = sizeBytes;
    this.sizes.push({ at: this.touches.length, sizeBytes });
  }

  /** Whether bits that a question from `a` needs may have been dropped by a shrink. */
  mayHaveDropped(a: Moment, b: Moment): boolean {
    const since = this.sizes.filter(({ at }) => at >= a.surely).map(({ sizeBytes }) => sizeBytes);
    return Math.min(...since, this.sizeBytes) < Math.min(a.sizeBytes, b.sizeBytes);
  }
}

export const quietPage = pageOfValue;

/** What differs between two moments and is not in the ranges; null when all is. */
export function whatIsMissing(a: Moment, b: Moment, ranges: Float64Array): string | null {
  for (const offset of new Set([...a.pages.keys(), ...b.pages.keys()])) {
    if (offset + PAGE > b.sizeBytes) continue;
    const [was, is] = [a.pages.get(offset) ?? 0, b.pages.get(offset) ?? 0];
    if (was !== is && !covers(ranges, offset, offset + PAGE))
      return `page at ${offset} went from ${was} to ${is}`;
  }
  if (b.sizeBytes > a.sizeBytes && !covers(ranges, a.sizeBytes, b.sizeBytes))
    return `growth from ${a.sizeBytes} to ${b.sizeBytes}`;
  return null;
}

/** A range that nothing between the two moments touched; null when there is none. */
export function whatIsTooMuch(disk: HistoryDisk, a: Moment, b: Moment, ranges: Float64Array): string | null {
  const touched = disk.touches
    .slice(a.surely, b.maybe)
    .map(({ start, end }) => ({
      start: Math.floor(start / BLOCK) * BLOCK,
      end: Math.ceil(end / BLOCK) * BLOCK,
    }))
    .sort((x, y) => x.start - y.start);
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of touched) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  for (let i = 0; i < ranges.length; i += 2) {
    const [start, end] = [ranges[i]!, ranges[i]! + ranges[i + 1]!];
    if (!merged.some((one) => one.start <= start && end <= one.end)) return `${start} to ${end}`;
  }
  return null;
}

function covers(ranges: Float64Array, start: number, end: number): boolean {
  for (let i = 0; i < ranges.length; i += 2)
    if (ranges[i]! <= start && ranges[i]! + ranges[i + 1]! >= end) return true;
  return false;
}
