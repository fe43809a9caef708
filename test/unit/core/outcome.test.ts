/** What a call on several disks comes to: thrown where nothing was done, disk by disk where something was. */
import { describe, expect, test } from 'vitest';
import type { DiskFailed, DiskOutcome } from '../../../lib/core/beginPlan.js';
import { CbtError } from '../../../lib/core/errors.js';
import { outcomeOf, settled } from '../../../lib/core/outcome.js';
import { withPointLeft } from '../../../lib/core/pointLeft.js';
import { refusal, refusalOf } from '../../helpers/refusal.js';

const fails = (disk: string, code: CbtError['code'], reason?: CbtError['reason']): DiskFailed => ({
  disk,
  error: new CbtError(code, `${disk} says no`, { disk, ...(reason && { reason }) }),
});
const NOT_DONE = fails('a', 'ERR_CBT_NOT_DONE');
const LOST = fails('b', 'ERR_CBT_TRACKING_LOST', 'CRASHED');
const BUSY = fails('c', 'ERR_CBT_BACKEND_UNAVAILABLE', 'BUSY');

describe('settled', () => {
  test('what every disk did, and a call on no disk, are as they are', () => {
    for (const outcome of [
      { pit: null, disks: [{ disk: 'a' }] },
      { pit: null, disks: [] },
    ])
      expect(settled(outcome)).toBe(outcome);
  });

  test('what some disks did is marked', () => {
    const outcome = { pit: 'p', disks: [{ disk: 'x' }, LOST], warnings: ['w'] };
    expect(settled(outcome)).toEqual({ ...outcome, partial: true });
  });

  test('a disk on which tracking ended had something done to it', () => {
    const ended = { ...LOST, trackingEnded: true as const };
    expect(settled({ disks: [ended] })).toEqual({ disks: [ended], partial: true });
  });

  test('one disk that refused is thrown as it is, with itself in the list', () => {
    const error = refusal(() => settled({ disks: [LOST] }));
    expect(error.toJSON()).toEqual({
      ...LOST.error?.toJSON(),
      disks: [{ disk: 'b', error: LOST.error?.toJSON() }],
    });
  });

  test('of several the first that refused is thrown, and all are told', () => {
    const error = refusal(() => settled({ disks: [NOT_DONE, LOST, BUSY] }));
    expect(error).toMatchObject({ code: 'ERR_CBT_TRACKING_LOST', reason: 'CRASHED', disk: 'b' });
    expect(error.message).toBe('nothing was done: b refused: b says no; so did c');
    expect(error.disks?.map(({ disk, error: { code } }) => [disk, code])).toEqual([
      ['a', 'ERR_CBT_NOT_DONE'],
      ['b', 'ERR_CBT_TRACKING_LOST'],
      ['c', 'ERR_CBT_BACKEND_UNAVAILABLE'],
    ]);
    // Also on the other side of a worker, or of a socket.
    expect(CbtError.fromJSON(structuredClone(error.toJSON())).toJSON()).toEqual(error.toJSON());
  });
});

test('a point that stays is told with the first disk that refused, whichever has it', () => {
  const stays = fails('d', 'ERR_CBT_BACKEND_UNAVAILABLE').error;
  const left = withPointLeft(stays ?? new Error('none'), 'p', [
    { disk: 'd', why: new Error('held') },
  ]) as CbtError;
  const { details } = refusal(() => settled({ disks: [LOST, { disk: 'd', error: left }] }));
  expect(details).toEqual({ pointStays: 'p', pointStaysOn: 'd' });
});

test('whoever goes on disk by disk gets the disks of a refused call, and no other failure', async () => {
  const call = async (): Promise<{ disks: DiskOutcome[] }> => settled({ disks: [LOST, BUSY] });
  expect((await outcomeOf(call())).disks.map(({ disk }) => disk)).toEqual(['b', 'c']);
  const other = Promise.reject(new CbtError('ERR_CBT_TIMEOUT', 'x'));
  expect(await refusalOf(outcomeOf(other))).toMatchObject({ code: 'ERR_CBT_TIMEOUT' });
});
