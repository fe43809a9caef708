/** Which runs the rules keep. */
import { describe, expect, test } from 'vitest';
import { runsToKeep } from '../../../lib/backup/keepRules.js';

/** Run n at this time. */
const runs = (...times: string[]) => times.map((startedAt, i) => ({ run: i + 1, startedAt }));
const kept = (...args: Parameters<typeof runsToKeep>) => [...runsToKeep(...args)].sort((a, b) => a - b);

describe('the rules', () => {
  const week = runs(
    '2026-03-01T23:59:59.999Z', // 1: Sunday
    '2026-03-02T00:00:00.000Z', // 2: Monday
    '2026-03-02T12:00:00Z',
    '2026-03-04T01:00:00Z', // 4
    '2026-03-04T23:00:00Z',
    '2026-03-09T01:00:00Z', // 6: Monday
  );

  test.each([
    [{ last: 1 }, [6]],
    [{ last: 3 }, [4, 5, 6]],
    [{ last: 100 }, [1, 2, 3, 4, 5, 6]],
    [{ daily: 2 }, [5, 6]],
    [{ daily: 4 }, [1, 3, 5, 6]],
    [{ weekly: 1 }, [6]],
    [{ weekly: 2 }, [5, 6]],
    [{ weekly: 3 }, [1, 5, 6]],
    [{ last: 1, daily: 3, weekly: 3 }, [1, 3, 5, 6]],
  ])('%j keep runs %j', (rules, expected) => {
    expect(kept(week, rules)).toEqual(expected);
  });

  test('keep the newest run by its number, whatever a clock that was set back says', () => {
    expect(kept(runs('2026-03-05T00:00:00Z', '2020-01-01T00:00:00Z'), { daily: 1 })).toEqual([2]);
  });

  test.each([[{}], [{ last: 0 }], [{ daily: -1 }], [{ weekly: 1.5 }], [{ last: Number.NaN }]])(
    '%j are refused',
    (rules) => {
      expect(() => runsToKeep(week, rules)).toThrow(/expected/);
    },
  );
});
