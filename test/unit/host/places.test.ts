/** Room for so much work at a time: never more, in order, and nobody is held up by a kind that is not his. */
import { describe, expect, test } from 'vitest';
import { CbtError } from '../../../lib/core/errors.js';
import { Places } from '../../../lib/host/places.js';
import { refusalOf } from '../../helpers/refusal.js';
import { SEED } from '../../helpers/seed.js';

const WAIT = { timeoutMs: 60_000, onTimeout: () => new CbtError('ERR_CBT_TIMEOUT', 'no turn') };

describe('places', () => {
  test(`random work: no kind ever has more than its limit, and all of it is done (SEED=${SEED})`, async () => {
    let state = SEED;
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const places = new Places();
    const limits = new Map([
      ['all', 4],
      ['g0', 2],
      ['g1', 1],
      ['g2', 3],
    ]);
    const now = new Map<string, number>();
    let done = 0;
    const work = async (group: string): Promise<void> => {
      const kinds = new Map(['all', group].map((kind) => [kind, limits.get(kind) ?? 0]));
      const leave = await places.enter(kinds, WAIT);
      for (const kind of kinds.keys()) now.set(kind, (now.get(kind) ?? 0) + 1);
      for (const [kind, count] of now) expect(count, kind).toBeLessThanOrEqual(limits.get(kind) ?? 0);
      for (let turn = random() * 5; turn > 0; turn -= 1) await Promise.resolve();
      for (const kind of kinds.keys()) now.set(kind, (now.get(kind) ?? 0) - 1);
      done += 1;
      leave();
      leave();
    };
    await Promise.all(Array.from({ length: 200 }, () => work(`g${Math.floor(random() * 3)}`)));
    expect([done, places.waiting]).toEqual([200, 0]);
  });

  test('one whose kind is full holds nobody else up; who gives up waiting leaves the line', async () => {
    const places = new Places();
    const [a, b] = [new Map([['a', 1]]), new Map([['b', 1]])];
    const leave = await places.enter(a, WAIT);
    const abort = new AbortController();
    const given = refusalOf(places.enter(a, { ...WAIT, signal: abort.signal }));
    const late = refusalOf(places.enter(a, { ...WAIT, timeoutMs: 5 }));
    const next = places.enter(a, WAIT);
    (await places.enter(b, WAIT))();
    expect(await late).toMatchObject({ code: 'ERR_CBT_TIMEOUT' });
    abort.abort();
    expect(await given).toMatchObject({ code: 'ERR_CBT_ABORTED' });
    expect(places.waiting).toBe(1);
    leave();
    (await next)();
    expect(places.waiting).toBe(0);
  });
});
