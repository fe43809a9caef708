/** A look that is shared is never older than the question of anybody who shares it. */
import { expect, test } from 'vitest';
import { SharedLook } from '../../../lib/core/sharedLook.js';

/** Looks that begin with what `world` is then, and end when they are told to. */
function slowLooks() {
  const world = { now: 1 };
  const ends: (() => void)[] = [];
  const look = new SharedLook(async () => {
    const seen = world.now;
    await new Promise<void>((resolve) => ends.push(resolve));
    return seen;
  });
  const begun = async (count: number): Promise<void> => {
    while (ends.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  return { world, ends, look, begun };
}

test('those who ask before it begins share it', async () => {
  const { ends, look, begun } = slowLooks();
  const asked = [look.ask(), Promise.resolve().then(() => look.ask())];
  await begun(1);
  ends[0]?.();
  expect(await Promise.all(asked)).toEqual([1, 1]);
  expect(ends).toHaveLength(1);
});

test('who asks while one goes on is told of a later one', async () => {
  const { world, ends, look, begun } = slowLooks();
  const first = look.ask();
  await begun(1);
  world.now = 2;
  const second = look.ask();
  await begun(2);
  ends.forEach((end) => {
    end();
  });
  expect(await Promise.all([first, second])).toEqual([1, 2]);
});

test('one that fails does so for all who share it, and the next begins anew', async () => {
  let looks = 0;
  const look = new SharedLook(async () => {
    looks += 1;
    if (looks === 1) throw new Error('gone');
    return looks;
  });
  const asked = [look.ask(), look.ask()];
  expect(await Promise.allSettled(asked)).toMatchObject([
    { reason: { message: 'gone' } },
    { status: 'rejected' },
  ]);
  expect(await look.ask()).toBe(2);
});
