import { expect, test } from 'vitest';
import { ofEach } from '../../../lib/core/ofEach.js';

test('tells what came of each in their order, with so many under way and no more', async () => {
  let running = 0;
  let most = 0;
  const ends: (() => void)[] = [];
  const all = ofEach(
    [0, 1, 2, 3, 4],
    async (thing) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((end) => void ends.push(end));
      running -= 1;
      return thing * 10;
    },
    2,
  );
  for (let ended = 0; ended < 5; ended += 1) {
    while (ends.length === 0) await new Promise(setImmediate);
    // The later one of the two first.
    ends.pop()!();
  }
  expect(await all).toEqual([0, 10, 20, 30, 40]);
  expect(most).toBe(2);
});

test('nothing is begun after a failure, which is thrown', async () => {
  const begun: number[] = [];
  const failing = ofEach(
    [0, 1, 2, 3],
    async (thing) => {
      begun.push(thing);
      if (thing === 1) throw new Error('one');
    },
    1,
  );
  await expect(failing).rejects.toThrow('one');
  expect(begun).toEqual([0, 1]);
});

test('nothing is nothing', async () => {
  expect(await ofEach([], () => Promise.reject(new Error('asked')))).toEqual([]);
});
