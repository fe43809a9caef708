/** Which runs the rules keep. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runsToKeep } from '../../../lib/backup/keepRules.js';

/** Run n at this time. */
const runs = (...times: string[]) => times.map((startedAt, i) => ({ run: i + 1, startedAt }));
const kept = (...args: Parameters<typeof runsToKeep>) => [...runsToKeep(...args)].sort((a, b) => a - b);

const zone = process.env['TZ'];
beforeEach(() => {
  process.env['TZ'] = 'UTC';
});
afterEach(() => {
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
});

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

  test.each([[[]], [['3']], [['3', '5']]])(
    'protecting %j alone would forget all others: refused',
    (protect) => {
      expect(() => runsToKeep(week, { protect })).toThrow(
        /protect is .* expected at least one of last, hourly/,
      );
      expect(() => runsToKeep(week, { protect, daily: undefined })).toThrow(/forgets all other runs/);
    },
  );

  test.each([
    [{ hourly: 2 }, [6, 7]],
    [{ monthly: 2 }, [4, 7]],
    [{ monthly: 3 }, [2, 4, 7]],
    [{ yearly: 5 }, [2, 7]],
    [{ last: 1, protect: ['3', 'AAAAAAAA-0000-4000-8000-000000000001'] }, [1, 3, 7]],
    [{ last: 1, protect: [] }, [7]],
  ])('%j keep runs %j of years', (rules, expected) => {
    const years = runs(
      '2024-12-01T00:00:00Z',
      '2024-12-31T23:59:59Z', // 2
      '2025-01-01T00:00:00Z',
      '2025-01-31T12:00:00Z', // 4
      '2025-03-01T01:00:00Z',
      '2025-03-01T02:10:00Z', // 6
      '2025-03-01T03:50:00Z',
    ).map((run) => ({ ...run, pit: `aaaaaaaa-0000-4000-8000-00000000000${run.run}` }));
    expect(kept(years, rules)).toEqual(expected);
  });

  test('days are those of the time zone; an hour that comes twice in autumn is two', () => {
    const nights = runs(
      '2026-10-24T21:00:00Z',
      '2026-10-24T23:00:00Z',
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:30:00Z',
    );
    expect(kept(nights, { daily: 2 })).toEqual([2, 4]);
    process.env['TZ'] = 'Europe/Berlin';
    expect(kept(nights, { daily: 2 })).toEqual([1, 4]);
    expect(kept(nights, { hourly: 2 })).toEqual([3, 4]);
  });

  test('what is to be protected has to be there', () => {
    for (const named of ['8', '03', 'aaaaaaaa-0000-4000-8000-000000000009', '__proto__'])
      expect(() => runsToKeep(week, { last: 1, protect: [named] })).toThrow(
        /protect is .*expected the number/,
      );
  });
});
