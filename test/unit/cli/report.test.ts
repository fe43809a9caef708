import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { exitCodeOf } from '../../../lib/cli/exitCode.js';
import { parseBytes, parseCount } from '../../../lib/cli/options.js';
import { printable, reportError } from '../../../lib/cli/report.js';
import { CbtError, type CbtErrorCode, type CbtReason, trackingLost } from '../../../lib/core/errors.js';

function report(error: unknown, json = false): { code: number; text: string } {
  let text = '';
  const sink = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const io = { stdout: sink, stderr: sink, env: {}, signal: new AbortController().signal };
  return { code: reportError(io, error, json), text };
}

test('every reason but BUSY ends in exit 3: take a full backup', () => {
  const reasons: CbtReason[] = [
    'CRASHED',
    'MISSING',
    'UNKNOWN_PIT',
    'OTHER_EPOCH',
    'NOT_RECORDING',
    'OVERLAY',
    'GRANULARITY',
    'SIZE',
    'VOLATILE',
    'FORMAT',
    'FOREIGN',
  ];
  for (const reason of reasons) expect(exitCodeOf(trackingLost(reason, 'x'))).toBe(3);
  expect(exitCodeOf(new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'held', { reason: 'BUSY' }))).toBe(5);
});

test('codes without a reason have the documented exits', () => {
  const expected: [CbtErrorCode, number][] = [
    ['ERR_CBT_INVALID_ARGUMENT', 2],
    ['ERR_CBT_CORRUPT_IMAGE', 4],
    ['ERR_CBT_BACKEND_PROTOCOL', 4],
    ['ERR_CBT_UNSUPPORTED', 4],
    ['ERR_CBT_BACKEND_UNAVAILABLE', 5],
    ['ERR_CBT_TIMEOUT', 5],
    ['ERR_CBT_INTERNAL', 1],
  ];
  for (const [code, exit] of expected) expect(exitCodeOf(new CbtError(code, 'x'))).toBe(exit);
});

test('an error is one line with code, disk and reason; with --json one object', () => {
  const error = trackingLost('MISSING', 'a gap', { disk: '/d.qcow2' });
  expect(report(error).text).toBe(
    'error[ERR_CBT_TRACKING_LOST] /d.qcow2: a gap; take a full backup of this disk [MISSING]\n',
  );
  expect(JSON.parse(report(error, true).text)).toEqual({
    error: {
      code: 'ERR_CBT_TRACKING_LOST',
      reason: 'MISSING',
      disk: '/d.qcow2',
      message: 'a gap; take a full backup of this disk',
    },
  });
});

test('what is no CbtError is our bug: exit 1, with its stack', () => {
  const { code, text } = report(new TypeError('oops'));
  expect(code).toBe(1);
  expect(text).toContain('error[ERR_CBT_INTERNAL]');
  expect(text).toContain('report.test.ts');
});

test('no name reaches the terminal with control or direction characters', () => {
  expect(printable('a\u001b[2Jb\nc\u202ed')).toBe('a\\u001b[2Jb\\u000ac\\u202ed');
});

test('sizes take binary suffixes, counts only numbers; both name the option', () => {
  expect(['512', '64K', '1m', '2T'].map((text) => parseBytes('--start', text))).toEqual([
    512,
    65_536,
    1 << 20,
    2 ** 41,
  ]);
  for (const text of ['', '-1', '1.5', '1e3', '0x10', '1KB', '9999999P']) {
    expect(() => parseBytes('--start', text)).toThrow('--start');
  }
  expect(parseCount('--max', '10')).toBe(10);
  for (const text of ['0', '-1', '1K', '99999999999999999'])
    expect(() => parseCount('--max', text)).toThrow('--max');
});
