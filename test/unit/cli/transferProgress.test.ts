/** Progress of work that moves bytes: a bar, lines or events, with rate and time left. */
import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { CliIo } from '../../../lib/cli/io.js';
import { formatSeconds, TransferProgress } from '../../../lib/cli/transferProgress.js';

const GiB = 2 ** 30;

function setUp(isTTY: boolean, json: boolean) {
  let text = '';
  let clock = 0;
  const stderr = Object.assign(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        text += String(chunk);
        done();
      },
    }),
    { isTTY },
  );
  const io = { stderr, stdout: stderr, env: {}, signal: new AbortController().signal } as CliIo;
  const progress = new TransferProgress(io, 'backup', {
    json,
    now: () => clock,
    wallClock: () => new Date(Date.UTC(2026, 2, 1) + clock),
  });
  return {
    progress,
    at: (ms: number, doneBytes: number, totalBytes: number): void => {
      clock = ms;
      const bytesPerSecond = Math.round((1000 * doneBytes) / ms);
      progress.update({ phase: 'copy', disk: 'vda', doneBytes, totalBytes, bytesPerSecond });
    },
    said: (): string => text,
  };
}

describe('progress', () => {
  test('on a terminal is a bar, drawn when the work takes long enough, and wiped', () => {
    const { progress, at, said } = setUp(true, false);
    at(500, GiB / 4, GiB);
    expect(said()).toBe('');
    at(1000, GiB / 2, GiB);
    expect(said()).toContain('[############------------]  50 %  512 MiB of 1 GiB  512 MiB/s  1 s left');
    const drawn = said();
    at(1100, GiB, GiB);
    expect(said()).toBe(drawn);
    progress.end();
    expect(said().endsWith('\r\x1b[K')).toBe(true);
  });

  test('elsewhere is a line every few seconds, and nothing for short work', () => {
    const { at, said } = setUp(false, false);
    at(4999, 1, GiB);
    expect(said()).toBe('');
    at(5000, GiB / 2, GiB);
    at(6000, GiB / 2, GiB);
    at(10_000, GiB, GiB);
    expect(said().split('\n').length).toBe(3);
    expect(said()).toMatch(
      /^2026-0[23]-\d\d \d\d:00:05 backup: 50 % {2}512 MiB of 1 GiB {2}102 MiB\/s {2}5 s left\n/,
    );
  });

  test('for programs is an event a line', () => {
    const { at, said } = setUp(true, true);
    at(5000, 500, 1000);
    expect(JSON.parse(said())).toEqual({
      event: 'progress',
      at: expect.stringMatching(/^2026-0[23]-\d\dT.*Z$/),
      work: 'backup',
      phase: 'copy',
      disk: 'vda',
      doneBytes: 500,
      totalBytes: 1000,
      bytesPerSecond: 100,
      secondsLeft: 5,
    });
  });

  test.each([
    [1, '1 s'],
    [119, '119 s'],
    [600, '10 min'],
    [9000, '2.5 h'],
  ])('%d s are %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });
});
