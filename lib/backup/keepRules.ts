/** Which runs are kept: the newest ones, and the newest of each of the last days and weeks that have one (UTC). */
import { invalidArgument } from '../core/errors.js';
import { type Checks, integer } from '../core/options.js';
import type { Manifest } from './manifest.js';

/** Which runs stay, each a whole number of at least 1; a run stays when one rule keeps it. */
export interface KeepRules {
  /** The newest runs. */
  last?: number | undefined;
  /** The newest run of each of the last days that have one. */
  daily?: number | undefined;
  /** The newest run of each of the last ISO weeks (from Monday) that have one. */
  weekly?: number | undefined;
}

type Dated = Pick<Manifest, 'run' | 'startedAt'>;

const DAY_MS = 86_400_000;

/** What each rule has to be. */
export const KEEP_RULES: Checks<KeepRules> = { last: integer(1), daily: integer(1), weekly: integer(1) };

/** Numbers of the runs to keep; at least one rule is needed, and the newest run is always kept. */
export function runsToKeep(
  runs: readonly Pick<Manifest, 'run' | 'startedAt'>[],
  rules: KeepRules,
): Set<number> {
  return new Set(rulesThatKeep(runs, rules).keys());
}

/** The same, with the names of the rules that keep each. */
export function rulesThatKeep(runs: readonly Dated[], rules: KeepRules): Map<number, string[]> {
  const given = Object.entries(rules).filter(([, value]) => value !== undefined);
  if (given.length === 0) throw invalidArgument('rules', 'empty', 'at least one of last, daily, weekly');
  for (const [name, value] of given)
    if (!Number.isSafeInteger(value) || (value ?? 0) < 1)
      throw invalidArgument(name, value, 'a whole number of at least 1');
  const newestFirst = runs.toSorted((a, b) => b.run - a.run);
  const kept = new Map<number, string[]>();
  const keep = (rule: string, numbers: readonly number[]): void => {
    for (const run of numbers) kept.set(run, [...(kept.get(run) ?? []), rule]);
  };
  const numbers = newestFirst.map(({ run }) => run);
  keep(rules.last === undefined ? 'newest' : 'last', numbers.slice(0, rules.last ?? 1));
  keep('daily', newestOfEach(newestFirst, rules.daily ?? 0, dayOf));
  keep('weekly', newestOfEach(newestFirst, rules.weekly ?? 0, weekOf));
  return kept;
}

function newestOfEach(
  newestFirst: readonly Dated[],
  count: number,
  period: (time: number) => number,
): number[] {
  const found = new Map<number, number>();
  for (const { run, startedAt } of newestFirst) {
    const key = period(Date.parse(startedAt));
    if (!found.has(key) && found.size < count) found.set(key, run);
  }
  return [...found.values()];
}

function dayOf(time: number): number {
  return Math.floor(time / DAY_MS);
}

/** Day 0 of the epoch was a Thursday: the first Monday is day 4. */
function weekOf(time: number): number {
  return Math.floor((dayOf(time) - 4) / 7);
}
