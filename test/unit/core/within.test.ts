/** A deadline of a caller's own: the work is cancelled, and says that it was late. */
import { getEventListeners } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import type { CallOptions } from '../../../lib/core/callOptions.js';
import { CbtError, throwIfAborted } from '../../../lib/core/errors.js';
import { onAbort } from '../../../lib/core/onAbort.js';
import { withPointLeft } from '../../../lib/core/pointLeft.js';
import { within } from '../../../lib/core/within.js';
import { refusalOf } from '../../helpers/refusal.js';

/** Work that only a signal ends. */
const untilStopped = ({ signal }: CallOptions = {}): Promise<never> =>
  new Promise((_, reject) => {
    onAbort(signal, () => {
      try {
        throwIfAborted(signal);
      } catch (error) {
        reject(error);
      }
    });
  });

describe('within', () => {
  test('without a time the options are the work’s as they are', async () => {
    for (const options of [undefined, {}, { signal: new AbortController().signal }])
      expect(await within('x', options, async (own) => own)).toBe(options);
  });

  test('what is no time, or no signal, is for the work to refuse', async () => {
    const odd = { timeoutMs: 5, signal: new AbortController() as unknown as AbortSignal };
    expect(await within('x', odd, async (own) => own)).toBe(odd);
    for (const timeoutMs of [0, -1, Number.NaN, 2 ** 31, '5' as unknown as number]) {
      const options = { timeoutMs };
      expect(await within('x', options, async (own) => own)).toBe(options);
    }
  });

  test('the work is cancelled when the time is over, and the call is late', async () => {
    vi.useFakeTimers();
    try {
      const late = refusalOf(within('begin', { timeoutMs: 50 }, untilStopped));
      await vi.advanceTimersByTimeAsync(50);
      expect(await late).toMatchObject({
        code: 'ERR_CBT_TIMEOUT',
        message: 'begin was given 50 ms, and they are over',
        details: { timeoutMs: 50 },
      });
    } finally {
      vi.useRealTimers();
    }
  });

  test('the caller’s signal counts on, and nothing listens on it afterwards', async () => {
    const abort = new AbortController();
    const called = refusalOf(within('x', { timeoutMs: 60_000, signal: abort.signal }, untilStopped));
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1);
    abort.abort('enough');
    expect(await called).toMatchObject({ code: 'ERR_CBT_ABORTED', cause: 'enough' });
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
    const { signal } = new AbortController();
    expect(await within('x', { timeoutMs: 60_000, signal }, async () => 7)).toBe(7);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('a point that stays is told with the lateness, and another failure is its own', async () => {
    const left = [{ disk: 'd', why: new Error('held') }];
    const stays = async (own: CallOptions = {}): Promise<never> => {
      await untilStopped(own).catch((error: unknown) => {
        throw withPointLeft(error, 'p', left);
      });
      throw new Error('unreachable');
    };
    const { message, details } = await refusalOf(within('x', { timeoutMs: 1 }, stays));
    expect(details).toEqual({ timeoutMs: 1, pointStays: 'p', pointStaysOn: 'd' });
    expect(message).toContain('may still be on d');
    const other = new CbtError('ERR_CBT_INTERNAL', 'ours');
    expect(await refusalOf(within('x', { timeoutMs: 1 }, () => Promise.reject(other)))).toBe(other);
  });
});
