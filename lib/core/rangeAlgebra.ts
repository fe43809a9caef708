/**
 * The algebra of range lists for callers: whole lists in, whole lists out, done by the kernel that there is. Every list is checked as it
 * comes: one that is out of order, overlaps or holds no numbers is refused, never repaired in silence; `from` is what repairs.
 */
import type { BitmapKernel } from './bitmapKernel.js';
import type { CallOptions } from './callOptions.js';
import { invalidArgument } from './errors.js';
import {
  abortSignal,
  byteCount,
  type Checks,
  checkOptions,
  granularity,
  milliseconds,
  required,
} from './options.js';
import {
  type ChangedRange,
  checkByteCount,
  checkGranularity,
  MAX_DISK_BYTES,
  type RangePage,
  type Ranges,
} from './rangePage.js';
import { within } from './within.js';

/** A `signal` that fires ends the call with `ERR_CBT_ABORTED`, `timeoutMs` with `ERR_CBT_TIMEOUT`. */
export interface RangesOptions extends CallOptions {}

/** The part of a disk that is kept. */
export interface ClipOptions extends RangesOptions {
  /** First byte; 0 unless given. */
  start?: number | undefined;
  /** The byte behind the last; the largest disk's unless given. */
  end?: number | undefined;
}

/** What bits are of. */
export interface BitsOptions extends RangesOptions {
  /** Bytes of a bit, a power of two from 512 to 2 GiB. */
  granularityBytes: number;
  /** Size of the disk: it tells how many bits there are. */
  sizeBytes: number;
}

/**
 * What can be done with lists of ranges. Lists are flat: offset, length, offset, length, … in bytes, ascending, apart and never touching, as
 * `ChangeMap.ranges` gives them; another one is `ERR_CBT_INVALID_ARGUMENT`. A new list comes of every call.
 */
export interface RangeAlgebra {
  /**
   * A list from ranges in any order, which may overlap and touch.
   * @param ranges In any order; they may touch and overlap.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for what is no range.
   */
  from(ranges: Iterable<ChangedRange>): Ranges;
  /**
   * Bytes in a list.
   * @param ranges Offsets and lengths in bytes, ascending.
   * @returns Their sum, bytes.
   */
  totalBytes(ranges: Ranges): number;
  /**
   * What is in either.
   * @param a Ranges.
   * @param b Ranges.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for ranges that are none.
   */
  union(a: Ranges, b: Ranges, options?: RangesOptions): Promise<Ranges>;
  /**
   * What is in both.
   * @param a Ranges.
   * @param b Ranges.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for ranges that are none.
   */
  intersect(a: Ranges, b: Ranges, options?: RangesOptions): Promise<Ranges>;
  /**
   * What is in `a` and not in `b`.
   * @param a Ranges.
   * @param b Ranges.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for ranges that are none.
   */
  subtract(a: Ranges, b: Ranges, options?: RangesOptions): Promise<Ranges>;
  /**
   * What lies in a part of the disk.
   * @param ranges Offsets and lengths in bytes, ascending.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for ranges that are none.
   */
  clip(ranges: Ranges, options: ClipOptions): Promise<Ranges>;
  /**
   * Every range widened outward to multiples of the granularity, and merged; never past `sizeBytes`, which all must lie in.
   * @param ranges Offsets and lengths in bytes, ascending.
   * @param granularityBytes A power of two.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for ranges that are none.
   */
  align(ranges: Ranges, granularityBytes: number, options?: AlignOptions): Promise<Ranges>;
  /**
   * The list as bits, least significant first: bit n is set where any byte of [n * granularity, (n + 1) * granularity) is in it.
   * @param ranges Offsets and lengths in bytes, ascending.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for ranges that are none.
   */
  toBits(ranges: Ranges, options: BitsOptions): Promise<Uint8Array>;
  /**
   * The list of bits that are set; a bit at or past the end of the disk is refused.
   * @param bits A bit for each granule, the first one lowest.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT where they do not fit the size.
   */
  fromBits(bits: Uint8Array, options: BitsOptions): Promise<Ranges>;
}

/** How far ranges may be widened. */
export interface AlignOptions extends RangesOptions {
  /** Size of the disk; the largest one's unless given. */
  sizeBytes?: number | undefined;
}

const CALL: Checks<RangesOptions> = { signal: abortSignal, timeoutMs: milliseconds };
const CLIP: Checks<ClipOptions> = { ...CALL, start: byteCount, end: byteCount };
const ALIGN: Checks<AlignOptions> = { ...CALL, sizeBytes: byteCount };
const BITS: Checks<BitsOptions> = {
  ...CALL,
  granularityBytes: required(granularity),
  sizeBytes: required(byteCount),
};

/** The algebra on a kernel, which is asked for at the first call that needs it. */
export function rangeAlgebra(kernel: () => Promise<BitmapKernel>): RangeAlgebra {
  const binary =
    (name: 'union' | 'intersect' | 'subtract') =>
    async (a: Ranges, b: Ranges, options: RangesOptions = {}): Promise<Ranges> => {
      checkOptions(name, options, CALL);
      checkList('a', a);
      checkList('b', b);
      return within(name, options, async (own) =>
        whole((await kernel())[name](a, b, everywhere(own?.signal))),
      );
    };
  return {
    from: rangesFrom,
    totalBytes(ranges) {
      checkList('ranges', ranges);
      let sum = 0;
      for (let i = 1; i < ranges.length; i += 2) sum += ranges[i] ?? 0;
      return sum;
    },
    union: binary('union'),
    intersect: binary('intersect'),
    subtract: binary('subtract'),
    async clip(ranges, options) {
      checkOptions('clip', options, CLIP);
      checkList('ranges', ranges);
      const { start = 0, end = MAX_DISK_BYTES } = options;
      if (start > end) throw invalidArgument('start', start, `at most end (${end})`);
      return within('clip', options, async (own) =>
        whole((await kernel()).clip(ranges, { ...everywhere(own?.signal, end), startBytes: start })),
      );
    },
    async align(ranges, granularityBytes, options = {}) {
      checkOptions('align', options, ALIGN);
      checkList('ranges', ranges);
      checkGranularity('granularityBytes', granularityBytes);
      const { sizeBytes = MAX_DISK_BYTES } = options;
      requireWithin(ranges, sizeBytes);
      return within('align', options, async (own) =>
        whole((await kernel()).align(ranges, granularityBytes, everywhere(own?.signal, sizeBytes))),
      );
    },
    async toBits(ranges, options) {
      checkBits('toBits', options);
      checkList('ranges', ranges);
      const { granularityBytes, sizeBytes } = options;
      requireWithin(ranges, sizeBytes);
      return within('toBits', options, async (own) => {
        const window = { startBytes: 0, endBytes: sizeBytes, signal: own?.signal };
        return (await kernel()).paintRanges(ranges, granularityBytes, window);
      });
    },
    async fromBits(bits, options) {
      checkBits('fromBits', options);
      if (!(bits instanceof Uint8Array)) throw invalidArgument('bits', bits, 'a Uint8Array');
      const { granularityBytes, sizeBytes } = options;
      const count = Math.ceil(sizeBytes / granularityBytes);
      const beyond = highestBit(bits);
      if (beyond >= count)
        throw invalidArgument('bits', `bit ${beyond} set`, `at most ${count} bits for ${sizeBytes} bytes`);
      const segment = { granularityBytes, bits: { kind: 'memory', bytes: bits } } as const;
      return within('fromBits', options, async (own) =>
        whole((await kernel()).scanBitmaps([segment], granularityBytes, everywhere(own?.signal, sizeBytes))),
      );
    },
  };
}

/** A text is one too, and an empty one would be no range at all. */
export function isIterable(value: unknown): boolean {
  return (
    typeof (value as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] === 'function' &&
    typeof value === 'object'
  );
}

/** A list from ranges in any order, which may overlap and touch. */
export function rangesFrom(ranges: Iterable<ChangedRange>, what = 'ranges'): Ranges {
  if (!isIterable(ranges)) throw invalidArgument(what, ranges, 'an iterable of { offset, length }');
  const list: ChangedRange[] = [];
  for (const range of ranges) {
    const { offset, length } = (range ?? {}) as Partial<ChangedRange>;
    const numbers = typeof offset === 'number' && typeof length === 'number';
    const values = numbers ? [offset, length, offset + length] : [Number.NaN];
    const exact = values.every((value) => Number.isSafeInteger(value) && value >= 0);
    if (!exact || length === 0)
      throw invalidArgument(
        `${what}[${list.length}]`,
        numbers ? `${offset}+${length}` : range,
        `an exact range of positive length that ends by ${MAX_DISK_BYTES}`,
      );
    list.push({ offset: Number(offset), length: Number(length) });
  }
  list.sort((a, b) => a.offset - b.offset);
  const flat: number[] = [];
  for (const { offset, length } of list) {
    const end = (flat.at(-2) ?? -1) + (flat.at(-1) ?? 0);
    if (flat.length > 0 && offset <= end)
      flat[flat.length - 1] = Math.max(end, offset + length) - (flat.at(-2) ?? 0);
    else flat.push(offset, length);
  }
  return Float64Array.from(flat);
}

/** Every range lies on the disk: what a caller says beyond it is never left out in silence. */
export function requireWithin(ranges: Ranges, sizeBytes: number, what = 'ranges'): void {
  const [offset = 0, length = 0] = ranges.subarray(-2);
  if (offset + length > sizeBytes)
    throw invalidArgument(
      `${what}[${ranges.length / 2 - 1}]`,
      `${offset}+${length}`,
      `within the disk of ${sizeBytes} bytes`,
    );
}

/** The kernel sees to what is in it. */
function checkList(argument: string, ranges: unknown): void {
  if (!(ranges instanceof Float64Array)) throw invalidArgument(argument, ranges, 'a Float64Array of ranges');
}

function checkBits(what: string, options: BitsOptions): void {
  checkOptions(what, options, BITS);
  checkGranularity('granularityBytes', options.granularityBytes);
  checkByteCount('sizeBytes', options.sizeBytes);
}

function everywhere(signal: AbortSignal | undefined, endBytes = MAX_DISK_BYTES) {
  return { startBytes: 0, endBytes, maxRanges: Number.POSITIVE_INFINITY, signal };
}

async function whole(page: Promise<RangePage>): Promise<Ranges> {
  return (await page).ranges;
}

/** Number of the last bit that is set; -1 where there is none. */
function highestBit(bits: Uint8Array): number {
  const at = bits.findLastIndex((byte) => byte !== 0);
  return at < 0 ? -1 : at * 8 + 31 - Math.clz32(bits[at] ?? 0);
}
