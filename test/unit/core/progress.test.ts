/** Progress: one frozen event for all long work; a callback that fails ends nothing. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Progress, type ProgressEvent } from '../../../lib/core/progress.js';

function setUp(totalBytes: number) {
  let clock = 0;
  const events: ProgressEvent[] = [];
  const progress = new Progress('copy', (event) => void events.push(event), {
    totalBytes,
    now: () => clock,
  });
  const at = (ms: number, bytes: number, disk = 'vda'): ProgressEvent | undefined => {
    clock = ms;
    progress.add(disk, bytes);
    return events.at(-1);
  };
  return { progress, events, at };
}

test('every event is a new frozen object with phase, disk, bytes and rate', () => {
  const { events, at } = setUp(1000);
  expect(at(1000, 100)).toEqual({
    phase: 'copy',
    disk: 'vda',
    doneBytes: 100,
    totalBytes: 1000,
    bytesPerSecond: 100,
  });
  expect(at(2000, 300, 'vdb')).toMatchObject({ disk: 'vdb', doneBytes: 400, bytesPerSecond: 200 });
  expect(events[0]).not.toBe(events[1]);
  expect(events.every((event) => Object.isFrozen(event))).toBe(true);
  expect(events[0]?.doneBytes).toBe(100);
});

test('the total is never less than what is done', () => {
  const { at } = setUp(100);
  expect(at(1, 150)).toMatchObject({ doneBytes: 150, totalBytes: 150 });
});

test('the rate follows the last five seconds, and is 0 before time has passed', () => {
  const { at } = setUp(1e9);
  expect(at(0, 500)?.bytesPerSecond).toBe(0);
  for (let second = 1; second <= 10; second += 1) at(1000 * second, 1_000_000);
  expect(at(11_000, 1_000_000)?.bytesPerSecond).toBe(1_000_000);
  for (let second = 12; second <= 20; second += 1) at(1000 * second, 1000);
  expect(at(21_000, 1000)?.bytesPerSecond).toBe(1000);
});

test('work that starts again has the rate of its new start', () => {
  let clock = 0;
  const rates: number[] = [];
  const progress = new Progress('map', ({ bytesPerSecond }) => void rates.push(bytesPerSecond), {
    now: () => clock,
  });
  clock = 1000;
  progress.tell('vda', 5000, 5000);
  clock = 2000;
  progress.tell('vda', 1000, 5000);
  clock = 3000;
  progress.tell('vda', 2000, 5000);
  expect(rates).toEqual([5000, 0, 1000]);
});

test.each([
  [
    'throws',
    () => {
      throw new Error('no terminal');
    },
  ],
  ['is rejected later', () => Promise.reject(new Error('no terminal'))],
])('a callback that %s warns once, and is told on', async (_, fail) => {
  const warned = once(process, 'warning');
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  try {
    let calls = 0;
    const progress = new Progress('copy', () => {
      calls += 1;
      return fail();
    });
    progress.add('vda', 1);
    progress.add('vda', 1);
    expect(calls).toBe(2);
    expect(progress.doneBytes).toBe(2);
    const [warning] = await warned;
    expect(warning).toMatchObject({ name: 'CbtWarning', code: 'QEMU_CBT_CALLBACK' });
    expect(String(warning)).toContain('no terminal');
    // Warnings are told in the next turns of the loop, each one's own.
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toHaveLength(1);
  } finally {
    process.off('warning', note);
  }
});
