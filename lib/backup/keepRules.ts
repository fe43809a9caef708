/**
 * Which runs are kept: the newest ones, those that are protected, and the newest of each of the last hours, days, weeks, months and years
 * that have one. A day is one of this machine's calendar (`TZ`), as the administrator counts them.
 */
import { invalidArgument } from '../core/errors.js';
import type { PointId } from '../core/ids.js';
import { type Check, type Checks, integer, listOf, shape, text } from '../core/options.js';
import { parseUuid } from '../core/pointInTime.js';

/**
 * Which runs stay; a run stays when one rule keeps it. All but `protect` are whole numbers of at least 1, and one of them is needed:
 * `protect` alone would forget every other run.
 */
export interface KeepRules {
  /** The newest runs. */
  last?: number | undefined;
  /** The newest run of each of the last hours that have one. */
  hourly?: number | undefined;
  /** The newest run of each of the last days that have one, by this machine's time zone. */
  daily?: number | undefined;
  /** The newest run of each of the last ISO weeks (from Monday) that have one. */
  weekly?: number | undefined;
  /** The newest run of each of the last calendar months that have one. */
  monthly?: number | undefined;
  /** The newest run of each of the last calendar years that have one. */
  yearly?: number | undefined;
  /** Runs that stay whatever the other rules say, by number or point in time. One that is not there is refused: it may be misspelt. */
  protect?: readonly string[] | undefined;
}

/** What the rules need to know of a run. */
export interface DatedRun {
  /** Its number. */
  run: number;
  /** ISO 8601. */
  startedAt: string;
  /** UUID of its point in time. */
  pit?: PointId | undefined;
}

const DAY_MS = 86_400_000;

/** Each names the period that a time lies in; the same name is the same period. */
const PERIODS = {
  hourly: (at: Date) => `${dayOf(at)} ${at.getHours()} ${at.getTimezoneOffset()}`,
  daily: (at: Date) => String(dayOf(at)),
  // Day 0 of the epoch was a Thursday: the first Monday is day 4.
  weekly: (at: Date) => String(Math.floor((dayOf(at) - 4) / 7)),
  monthly: (at: Date) => `${at.getFullYear()}-${at.getMonth()}`,
  yearly: (at: Date) => String(at.getFullYear()),
} satisfies Partial<Record<keyof KeepRules, (at: Date) => string>>;

type Period = keyof typeof PERIODS;

/** What each rule has to be. */
export const KEEP_RULES: Checks<KeepRules> = {
  last: integer(1),
  hourly: integer(1),
  daily: integer(1),
  weekly: integer(1),
  monthly: integer(1),
  yearly: integer(1),
  protect: listOf(text),
};

/** A manifest is one too. */
const datedRun: Check = (value, name) => {
  const { run, startedAt, pit } = (value ?? {}) as Partial<DatedRun>;
  integer(0)(run, `${name}.run`);
  if (typeof startedAt !== 'string' || Number.isNaN(Date.parse(startedAt)))
    throw invalidArgument(`${name}.startedAt`, startedAt, 'a time, ISO 8601');
  if (pit !== undefined) text(pit, `${name}.pit`);
};

/**
 * Numbers of the runs to keep, of one disk's or of any other list; the newest is always among them. Throws `ERR_CBT_INVALID_ARGUMENT` where no
 * rule counts, where one is no whole number of at least 1, and for a protected run that is not there.
 * @param runs Any order.
 * @param rules What stays.
 * @returns Numbers of the runs that stay.
 * @example
 * ```ts
 * const kept = runsToKeep([{ run: 1, startedAt: '2026-01-01T00:00:00Z' }], { last: 7 });
 * ```
 */
export function runsToKeep(runs: readonly DatedRun[], rules: KeepRules): Set<number> {
  listOf(datedRun)(runs, 'runs');
  shape<KeepRules>(KEEP_RULES)(rules, 'rules');
  return new Set(rulesThatKeep(runs, rules).keys());
}

/** The same, with the names of the rules that keep each. */
export function rulesThatKeep(runs: readonly DatedRun[], rules: KeepRules): Map<number, string[]> {
  requireCounted(rules);
  const newestFirst = runs.toSorted((a, b) => b.run - a.run);
  const kept = new Map<number, string[]>();
  const keep = (rule: string, numbers: readonly number[]): void => {
    for (const run of numbers) kept.set(run, [...(kept.get(run) ?? []), rule]);
  };
  const numbers = newestFirst.map(({ run }) => run);
  keep(rules.last === undefined ? 'newest' : 'last', numbers.slice(0, rules.last ?? 1));
  for (const [rule, period] of Object.entries(PERIODS))
    keep(rule, newestOfEach(newestFirst, rules[rule as Period] ?? 0, period));
  keep('protect', protectedRuns(runs, rules));
  return kept;
}

/** Refuses rules of which none counts: who protects a run means to mark it, not to forget all others. */
export function requireCounted({ protect, ...counted }: KeepRules): void {
  const given = Object.entries(counted).filter(([, value]) => value !== undefined);
  for (const [name, value] of given)
    if (!Number.isSafeInteger(value) || (value ?? 0) < 1)
      throw invalidArgument(name, value, 'a whole number of at least 1');
  if (given.length > 0) return;
  const expected = `at least one of last, ${Object.keys(PERIODS).join(', ')}`;
  if (protect === undefined) throw invalidArgument('rules', 'empty', expected);
  throw invalidArgument(
    'protect',
    protect.join(', '),
    `${expected} beside it: alone it forgets all other runs`,
  );
}

/** Numbers of the runs that stay whatever the other rules say. */
export function protectedRuns(runs: readonly DatedRun[], { protect = [] }: KeepRules): number[] {
  return [...new Set(protect.map((named) => protectedRun(runs, named)))];
}

function newestOfEach(
  newestFirst: readonly DatedRun[],
  count: number,
  period: (at: Date) => string,
): number[] {
  const found = new Map<string, number>();
  for (const { run, startedAt } of newestFirst) {
    if (found.size >= count) break;
    const key = period(new Date(startedAt));
    if (!found.has(key)) found.set(key, run);
  }
  return [...found.values()];
}

function protectedRun(runs: readonly DatedRun[], named: string): number {
  const uuid = parseUuid(named);
  const found = runs.find(({ run, pit }) => String(run) === named || (uuid !== null && pit === uuid));
  if (found !== undefined) return found.run;
  throw invalidArgument('protect', named, 'the number, or the point in time, of a run that is there');
}

/** Days of the calendar, counted. */
function dayOf(at: Date): number {
  return Math.floor(Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) / DAY_MS);
}
