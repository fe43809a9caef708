/** The error class: what it says to people and to programs. */
import { describe, expect, test } from 'vitest';
import { CbtError, invalidArgument, throwIfAborted, trackingLost } from '../../../lib/core/errors.js';
import { refusal } from '../../helpers/refusal.js';

describe('CbtError', () => {
  test('what is not known is absent, in the object and in JSON', () => {
    const error = new CbtError('ERR_CBT_TIMEOUT', 'no answer');
    for (const key of ['reason', 'disk', 'cause']) expect(Object.hasOwn(error, key)).toBe(false);
    expect('reason' in error).toBe(false);
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'CbtError',
      code: 'ERR_CBT_TIMEOUT',
      recovery: 'retry',
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
    expect(error.stack).toContain('CbtError: shrunk');
    expect(error.cause).toBe(cause);
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'CbtError',
      code: 'ERR_CBT_TRACKING_LOST',
      reason: 'SIZE',
      disk: 'vda',
      recovery: 'full',
      message: 'shrunk',
      details: { limitBytes: 5, who: null },
      cause: { name: 'Error', message: 'inner' },
    });
  });

  test('a disk is named once, by whoever knew first; nothing else changes', () => {
    const cause = new Error('root');
    const options = { reason: 'UNKNOWN_PIT', details: { a: 1 }, cause } as const;
    const plain = new CbtError('ERR_CBT_UNKNOWN_PIT', 'gone', options);
    const named = plain.about('vda');
    expect(named.toJSON()).toEqual({ ...plain.toJSON(), disk: 'vda' });
    expect([named.cause, named.stack]).toEqual([cause, plain.stack]);
    expect(named.about('vdb')).toBe(named);
    expect(Object.hasOwn(new CbtError('ERR_CBT_INTERNAL', 'x').about('vda'), 'cause')).toBe(false);
  });

  test('another copy of the library knows it, and is known', async () => {
    const path = new URL('../../../lib/core/errors.ts?copy', import.meta.url).href;
    const other = (await import(path)) as typeof import('../../../lib/core/errors.js');
    expect(other.CbtError).not.toBe(CbtError);
    const theirs = new other.CbtError('ERR_CBT_TIMEOUT', 'x');
    expect(theirs).toBeInstanceOf(CbtError);
    expect(new CbtError('ERR_CBT_TIMEOUT', 'x')).toBeInstanceOf(other.CbtError);
    expect([CbtError.is(theirs, 'ERR_CBT_TIMEOUT'), CbtError.is(theirs, 'ERR_CBT_CLOSED')]).toEqual([
      true,
      false,
    ]);
  });

  test.each([
    null,
    undefined,
    'ERR_CBT_TIMEOUT',
    new Error('x'),
    { code: 'ERR_CBT_TIMEOUT' },
    () => undefined,
  ])('%s is none', (value) => {
    expect([CbtError.is(value), value instanceof CbtError]).toEqual([false, false]);
  });

  test('a class made from it is only itself', () => {
    class Special extends CbtError {}
    expect(new CbtError('ERR_CBT_TIMEOUT', 'x')).not.toBeInstanceOf(Special);
    const special = new Special('ERR_CBT_TIMEOUT', 'x');
    expect([special instanceof Special, special instanceof CbtError]).toEqual([true, true]);
  });

  test('it goes through a worker and through JSON, with what was behind it', () => {
    const system = Object.assign(new Error('no such file'), { code: 'ENOENT', errno: -2 });
    const inner = new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'inner', { reason: 'BUSY', cause: system });
    const error = new CbtError('ERR_CBT_TRACKING_LOST', 'outer', {
      reason: 'CRASHED',
      disk: 'vda',
      details: { bitmap: 'b' },
      cause: inner,
    });
    for (const sent of [structuredClone(error.toJSON()), JSON.parse(JSON.stringify(error)) as unknown]) {
      const back = CbtError.fromJSON(sent);
      expect(back).toBeInstanceOf(CbtError);
      expect(back.toJSON()).toEqual(error.toJSON());
      expect(back.cause).toBeInstanceOf(CbtError);
      expect((back.cause as CbtError).cause).toMatchObject({ code: 'ENOENT', message: 'no such file' });
    }
  });

  test('a ring of causes ends', () => {
    const [a, b] = [new CbtError('ERR_CBT_TIMEOUT', 'a'), new CbtError('ERR_CBT_TIMEOUT', 'b')];
    Object.assign(a, { cause: b });
    Object.assign(b, { cause: a });
    expect(JSON.stringify(a).match(/"message":"[ab]"/g)).toHaveLength(9);
  });

  test.each([
    ['json', null],
    ['json', 'ERR_CBT_TIMEOUT'],
    ['json.code', { code: 'ERR_CBT_OTHER', message: 'x' }],
    ['json.code', { message: 'x' }],
    ['json.reason', { code: 'ERR_CBT_TIMEOUT', reason: 'toString', message: 'x' }],
    ['json.disk', { code: 'ERR_CBT_TIMEOUT', disk: 1, message: 'x' }],
    ['json.message', { code: 'ERR_CBT_TIMEOUT' }],
    ['json.details', { code: 'ERR_CBT_TIMEOUT', message: 'x', details: [1] }],
    ['json.cause', { code: 'ERR_CBT_TIMEOUT', message: 'x', cause: 'y' }],
  ])('what is no error is refused by its part: %s', (argument, json) => {
    expect(refusal(() => CbtError.fromJSON(json))).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
      details: { argument },
    });
  });
});

test('a lost chain says what to do', () => {
  const error = trackingLost('CRASHED', 'bitmap x is inconsistent', { disk: 'vda' });
  expect(error.code).toBe('ERR_CBT_TRACKING_LOST');
  expect(error.message).toBe('bitmap x is inconsistent; take a full backup of this disk');
  // Who holds it lets go of it again.
  const held = trackingLost('BUSY', 'bitmap x is held');
  expect([held.message, held.recovery]).toEqual(['bitmap x is held; wait for whoever holds it', 'retry']);
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
