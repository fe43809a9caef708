/** The error class: what it says to people and to programs. */
import { describe, expect, test } from 'vitest';
import {
  CbtError,
  type CbtReason,
  invalidArgument,
  throwIfAborted,
  trackingLost,
} from '../../../lib/core/errors.js';
import { refusal } from '../../helpers/refusal.js';

describe('CbtError', () => {
  const full: Record<CbtReason, boolean> = {
    CRASHED: true,
    MISSING: true,
    UNKNOWN_PIT: true,
    OTHER_EPOCH: true,
    NOT_RECORDING: true,
    OVERLAY: true,
    GRANULARITY: true,
    SIZE: true,
    VOLATILE: true,
    FORMAT: true,
    BUSY: false,
    FOREIGN: true,
  };
  test.each(Object.entries(full) as [CbtReason, boolean][])(
    '%s needs a full backup: %s',
    (reason, needed) => {
      const error = new CbtError('ERR_CBT_TRACKING_LOST', 'x', { reason });
      expect(error.fullBackupNeeded).toBe(needed);
    },
  );

  test('without a reason nothing is said about backups', () => {
    expect(new CbtError('ERR_CBT_TIMEOUT', 'x').fullBackupNeeded).toBe(false);
  });

  test('what is not known is absent, in the object and in JSON', () => {
    const error = new CbtError('ERR_CBT_TIMEOUT', 'no answer');
    expect('reason' in error && error.reason !== undefined).toBe(false);
    expect(error.cause).toBeUndefined();
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      code: 'ERR_CBT_TIMEOUT',
      message: 'no answer',
      details: {},
    });
  });

  test('what is known is there', () => {
    const cause = new Error('inner');
    const options = { reason: 'SIZE', disk: 'vda', details: { limitBytes: 5, who: null }, cause } as const;
    const error = new CbtError('ERR_CBT_TRACKING_LOST', 'shrunk', options);
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe('CbtError: shrunk');
    expect(error.cause).toBe(cause);
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      code: 'ERR_CBT_TRACKING_LOST',
      reason: 'SIZE',
      disk: 'vda',
      message: 'shrunk',
      details: { limitBytes: 5, who: null },
    });
  });

  test('a disk is named once, by whoever knew first', () => {
    const plain = new CbtError('ERR_CBT_UNKNOWN_PIT', 'gone', { reason: 'UNKNOWN_PIT', details: { a: 1 } });
    const named = plain.about('vda');
    expect(named.toJSON()).toEqual({ ...plain.toJSON(), disk: 'vda' });
    expect(named.cause).toBe(plain);
    expect(named.about('vdb')).toBe(named);
    const root = new Error('root');
    expect(new CbtError('ERR_CBT_INTERNAL', 'x', { cause: root }).about('vda').cause).toBe(root);
  });
});

test('a lost chain says what to do', () => {
  const error = trackingLost('CRASHED', 'bitmap x is inconsistent', { disk: 'vda' });
  expect(error.code).toBe('ERR_CBT_TRACKING_LOST');
  expect(error.message).toBe('bitmap x is inconsistent; take a full backup of this disk');
});

test.each([
  ['text', 'abc', '"abc"'],
  ['quotes and line ends', 'a"b\n', String.raw`"a\"b\n"`],
  ['a long text, cut', 'y'.repeat(5000), `"${'y'.repeat(80)}…"`],
  ['a number', 5, '5'],
  ['NaN', Number.NaN, 'NaN'],
  ['a bigint', 2n ** 64n, '18446744073709551616'],
  ['a boolean', false, 'false'],
  ['null', null, 'null'],
  ['undefined', undefined, 'undefined'],
  ['an object', { secret: 1 }, 'Object'],
  ['an array', [1, 2], 'Array'],
  ['a symbol', Symbol('s'), 'Symbol'],
  ['an object that cannot be made text', Object.create(null), 'Object'],
])('a wrong argument is shown: %s', (_, received, shown) => {
  const error = invalidArgument('start', received, 'a number');
  expect(error.message).toBe(`start is ${shown}, expected a number`);
  expect(error.details).toEqual({ argument: 'start', received: shown, expected: 'a number' });
});

test('an aborted signal becomes a coded error that keeps its reason', () => {
  throwIfAborted(undefined);
  throwIfAborted(new AbortController().signal);
  const why = new Error('enough');
  const error = refusal(() => throwIfAborted(AbortSignal.abort(why)));
  expect([error.code, error.cause]).toEqual(['ERR_CBT_ABORTED', why]);
});
