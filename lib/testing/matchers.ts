/**
 * Matchers for vitest, jest and whatever has `expect.extend` like theirs. What a map must never do is leave a write out; what it may do is hold more.
 */
import { ChangeMap } from '../core/changeMap.js';
import { CbtError, type CbtErrorCode, type CbtReason } from '../core/errors.js';
import { rangesFrom } from '../core/rangeAlgebra.js';
import { type ChangedRange, checkRanges, type Ranges } from '../core/rangePage.js';

/** What a matcher says. */
export interface MatcherResult {
  /** Whether it holds. */
  pass: boolean;
  /** What is told where the expectation does not hold. */
  message: () => string;
}

/** The matchers by name, for `expect.extend(matchers)`. */
export interface CbtMatchers<Result = unknown> {
  /**
   * The map, or list of ranges, holds every byte of these writes. Waits for a map to be read.
   * @param writes What was written.
   * @returns What the test runner’s matchers return.
   */
  toCover(writes: ListedRanges): Result;
  /**
   * It holds these bytes and no other.
   * @param ranges What it must hold.
   * @returns What the test runner’s matchers return.
   */
  toHoldExactly(ranges: ListedRanges): Result;
  /**
   * It is a `CbtError` of this code, and of this reason where one is given.
   * @param code The code.
   * @param reason The reason; any unless given.
   * @returns What the test runner’s matchers return.
   */
  toBeCbtError(code: CbtErrorCode, reason?: CbtReason): Result;
}

/** Ranges in any order, or a list of them. */
export type ListedRanges = Iterable<ChangedRange> | Ranges;

/** The matchers as a test runner calls them: with what was received first. */
export type MatcherFunctions = {
  /** As {@link CbtMatchers.toCover}. */
  toCover(received: unknown, writes: ListedRanges): Promise<MatcherResult>;
  /** As {@link CbtMatchers.toHoldExactly}. */
  toHoldExactly(received: unknown, ranges: ListedRanges): Promise<MatcherResult>;
  /** As {@link CbtMatchers.toBeCbtError}. */
  toBeCbtError(received: unknown, code: CbtErrorCode, reason?: CbtReason): MatcherResult;
};

/** `expect.extend(matchers)`, then `await expect(map).toCover([{ offset, length }])`. */
export const matchers: MatcherFunctions = {
  async toCover(received: unknown, writes: ListedRanges): Promise<MatcherResult> {
    const missing = without(listOf(writes), await readOf(received));
    const pass = missing.length === 0;
    return {
      pass,
      message: () =>
        pass
          ? 'expected the map to leave something of these writes out, and it holds all of them'
          : `expected the map to cover every write; it leaves out ${inWords(missing)}`,
    };
  },

  async toHoldExactly(received: unknown, ranges: ListedRanges): Promise<MatcherResult> {
    const [found, wanted] = [await readOf(received), listOf(ranges)];
    const [missing, more] = [without(wanted, found), without(found, wanted)];
    const pass = missing.length === 0 && more.length === 0;
    return {
      pass,
      message: () =>
        pass
          ? `expected the map to hold something else than ${inWords(wanted)}`
          : `expected the map to hold exactly ${inWords(wanted)}; it leaves out ${inWords(missing)} and holds ${inWords(more)} beside`,
    };
  },

  toBeCbtError(received: unknown, code: CbtErrorCode, reason?: CbtReason): MatcherResult {
    const error = received instanceof CbtError ? received : null;
    const pass = error?.code === code && (reason === undefined || error.reason === reason);
    const wanted = [code, reason].filter((part) => part !== undefined).join(' ');
    const was = error === null ? String(received) : `${error.code} ${error.reason ?? ''}: ${error.message}`;
    return { pass, message: () => `expected ${pass ? 'no ' : ''}${wanted}, received ${was}` };
  },
};

async function readOf(received: unknown): Promise<Ranges> {
  if (received instanceof ChangeMap) return received.ranges();
  return listOf(received as ListedRanges);
}

function listOf(listed: ListedRanges): Ranges {
  if (!(listed instanceof Float64Array)) return rangesFrom(listed);
  checkRanges('ranges', listed);
  return listed;
}

/** What is in `a` and not in `b`. */
function without(a: Ranges, b: Ranges): ChangedRange[] {
  const left: ChangedRange[] = [];
  for (let i = 0, j = 0; i < a.length; i += 2) {
    let at = a[i] ?? 0;
    const end = at + (a[i + 1] ?? 0);
    while (at < end) {
      while (j < b.length && (b[j] ?? 0) + (b[j + 1] ?? 0) <= at) j += 2;
      const from = j < b.length ? (b[j] ?? 0) : end;
      if (from > at) left.push({ offset: at, length: Math.min(from, end) - at });
      at = Math.max(Math.min(from, end), Math.min(end, from + (b[j + 1] ?? 0)));
    }
  }
  return left;
}

function inWords(ranges: readonly ChangedRange[] | Ranges): string {
  const list = ranges instanceof Float64Array ? without(ranges, new Float64Array(0)) : ranges;
  if (list.length === 0) return 'nothing';
  const shown = list.slice(0, 8).map(({ offset, length }) => `${offset}+${length}`);
  return shown.join(', ') + (list.length > 8 ? ` and ${list.length - 8} more` : '');
}
