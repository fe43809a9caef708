import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CbtError } from '../../../lib/core/errors.js';
import { onAbort } from '../../../lib/core/onAbort.js';
import {
  abortSignal,
  type Checks,
  checkOptions,
  flag,
  granularity,
  integer,
  limitOf,
  milliseconds,
  names,
  oneOf,
  point,
  required,
  shape,
  text,
  uuid,
} from '../../../lib/core/options.js';

const PIT = '6f2b0d64-7d3a-4c0b-9a5f-0b3c5b1d2e3f';

interface Options {
  folder: string;
  jobs?: number;
  signal?: AbortSignal;
  scratch?: { limitBytes?: number };
}

const CHECKS: Checks<Options> = {
  folder: required(text),
  jobs: integer(1, 16),
  signal: abortSignal,
  scratch: shape({ limitBytes: limitOf(512) }),
};

const check = (options: unknown) => () => checkOptions('work', options, CHECKS);
const refused = (message: RegExp) =>
  expect.objectContaining({ code: 'ERR_CBT_INVALID_ARGUMENT', message: expect.stringMatching(message) });

describe('options as a whole', () => {
  test('what is right passes, also what is undefined', () => {
    check({ folder: 'a' })();
    check({
      folder: 'a',
      jobs: undefined,
      signal: AbortSignal.timeout(1000),
      scratch: { limitBytes: Infinity },
    })();
  });

  test.each([
    [undefined, /folder is undefined/],
    [null, /options of work is null, expected an object/],
    [[], /options of work is Array/],
    ['a', /options of work is "a"/],
    [{ folder: 'a', job: 2 }, /work has no option "job"; it has folder, jobs, signal, scratch/],
    [{ folder: '' }, /folder is ""/],
    [{ folder: 'a\0b' }, /folder is/],
    [{ folder: 'a', scratch: { limit: 1 } }, /no option "limit"/],
    [{ folder: 'a', scratch: 'tmp' }, /scratch is "tmp"|options of/],
    [{ folder: 'a', scratch: { limitBytes: 1 } }, /scratch\.limitBytes is 1, expected .*at least 512/],
  ])('%j is refused', (options, message) => {
    expect(check(options)).toThrow(refused(message));
  });

  test('no number but a whole one in its range passes as one', () => {
    const any = fc.oneof(fc.double(), fc.constantFrom<unknown>('2', null, true, 2n, [2], Number.NaN, -0.5));
    fc.assert(
      fc.property(any, (jobs) => {
        if (Number.isSafeInteger(jobs) && (jobs as number) >= 1 && (jobs as number) <= 16) return;
        expect(check({ folder: 'a', jobs })).toThrow(refused(/jobs is/));
      }),
    );
  });
});

describe('each kind', () => {
  test.each([
    ['flag', flag, [true, false], ['no', 0, null]],
    ['uuid', uuid, ['{6F2B0D64-7D3A-4C0B-9A5F-0B3C5B1D2E3F}'], ['', '6f2b', 5]],
    [
      'point',
      point,
      ['*', { epoch: PIT, sequence: 1, pit: PIT }],
      ['', null, 7, [], {}, { epoch: PIT, sequence: 0, pit: PIT }, { epoch: Symbol('e') }, 'a\0'],
    ],
    ['names', names, [['a', 'b']], ['a', [], ['a', ''], [5]]],
    ['oneOf', oneOf('a', 'b'), ['a'], ['c', 1, undefined]],
    ['milliseconds', milliseconds, [0.5, 2 ** 31 - 1], [0, -1, Number.NaN, Infinity, 2 ** 31, '5']],
    ['limitOf', limitOf(1), [1, Infinity], [0, -1, Number.NaN, 1.5, '1', -Infinity]],
    ['granularity', granularity, [512, 65_536, 2 ** 31], [0, 511, 65_537, Number.NaN, '65536']],
    ['text', text, ['a'], ['', 5, 'a\0', '\ud800']],
  ] as const)('%s', (_, kind, right, wrong) => {
    for (const value of right) kind(value, 'x');
    for (const value of wrong) expect(() => kind(value, 'x')).toThrow(refused(/^x/));
  });

  test('a controller in place of its signal is refused, and the message says where the signal is', () => {
    const controller = new AbortController();
    expect(() => abortSignal(controller, 'signal')).toThrow(refused(/the controller’s \.signal/));
    expect(() => onAbort(controller as unknown as AbortSignal, () => undefined)).toThrow(CbtError);
    abortSignal(controller.signal, 'signal');
  });

  test('a signal of another realm is one', () => {
    const { aborted, addEventListener, removeEventListener } = { ...fakeSignal() };
    abortSignal({ aborted, addEventListener, removeEventListener }, 'signal');
  });
});

function fakeSignal() {
  const nothing = (): void => undefined;
  return { aborted: false, addEventListener: nothing, removeEventListener: nothing };
}
