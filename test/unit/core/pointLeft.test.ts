/** What is told of a point that could not be taken off: silence only where nothing can ever be built on it. */
import { describe, expect, test } from 'vitest';
import { CODES, REASONS } from '../../../lib/core/errorCodes.js';
import { CbtError } from '../../../lib/core/errors.js';
import {
  pointLeftAfter,
  tellsPointLeft,
  withoutPointLeft,
  withPointLeft,
} from '../../../lib/core/pointLeft.js';

const PIT = '2f1c43a0-5bd3-4d0e-9f0b-0a6c0d9f7a11';

describe('a point that could not be taken off', () => {
  test('is told for every error without a reason', () => {
    for (const code of CODES) {
      const error = new CbtError(code, 'no');
      expect(pointLeftAfter([{ disk: 'vda', error }, { disk: 'vdb' }])).toEqual([
        { disk: 'vda', why: error },
      ]);
    }
  });

  test('is told unless its chain has ended for good', () => {
    const told = REASONS.filter(
      (reason) =>
        pointLeftAfter([{ disk: 'vda', error: new CbtError('ERR_CBT_UNSUPPORTED', 'no', { reason }) }])
          .length > 0,
    );
    // Below an overlay the chain waits, and goes on when that was committed back.
    expect(told.sort()).toEqual(['BUSY', 'FOREIGN', 'FORMAT', 'GRANULARITY', 'OVERLAY']);
  });

  test('comes with the failure, and the failure comes back without it', () => {
    const error = new CbtError('ERR_CBT_TIMEOUT', 'no answer', { details: { socket: '/q' } });
    const told = withPointLeft(error, PIT, [{ disk: 'vda', why: new Error('gone') }]);
    expect(told).toMatchObject({
      code: 'ERR_CBT_TIMEOUT',
      details: { socket: '/q', pointStays: PIT, pointStaysOn: 'vda' },
      message: expect.stringMatching(new RegExp(`no answer; .*${PIT} may still be on vda \\(gone\\)`)),
    });
    expect(tellsPointLeft(told)).toBe(true);
    expect(withoutPointLeft(told)).toBe(error);
    expect(withPointLeft(error, PIT, [])).toBe(error);
  });
});
