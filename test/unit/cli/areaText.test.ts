import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ahead, formatAreas } from '../../../lib/cli/areaText.js';
import { tinyKernel } from '../../helpers/tinyKernel.js';

async function* from<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* items;
}

async function textOf(batches: readonly Float64Array[], style: 'json' | 'jsonl'): Promise<string> {
  let text = '';
  for await (const batch of formatAreas(tinyKernel, from(batches), style)) text += Buffer.from(batch.text);
  return text;
}

test('batches in any cut make one text', async () => {
  const pairs = fc.array(fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.array(pairs, { maxLength: 5 }), async (cut) => {
      const batches = cut.map((batch) => Float64Array.from(batch.flat()));
      const expected = cut.flat().map(([start, length]) => ({ start, length }));
      expect(JSON.parse(`[${await textOf(batches, 'json')}]`)).toEqual(expected);
      const rows = (await textOf(batches, 'jsonl')).split('\n').filter(Boolean);
      expect(rows.map((row) => JSON.parse(row))).toEqual(expected);
    }),
  );
});

test('the next item is asked for while one is being used, and no more than that', async () => {
  const asked: number[] = [];
  async function* items() {
    for (let i = 0; i < 4; i += 1) {
      asked.push(i);
      yield i;
    }
  }
  const used: number[] = [];
  for await (const item of ahead(items())) {
    await Promise.resolve();
    used.push(item);
    expect(asked.length).toBe(Math.min(item + 2, 4));
  }
  expect(used).toEqual([0, 1, 2, 3]);
});

test('a failure comes in its turn, after what was told before it', async () => {
  async function* items() {
    yield 1;
    throw new Error('broken');
  }
  const used: number[] = [];
  const reading = (async () => {
    for await (const item of ahead(items())) {
      await new Promise(setImmediate);
      used.push(item);
    }
  })();
  await expect(reading).rejects.toThrow('broken');
  expect(used).toEqual([1]);
});

test('a reader that leaves ends the source', async () => {
  let ended = false;
  async function* items() {
    try {
      for (let i = 0; ; i += 1) yield i;
    } finally {
      ended = true;
    }
  }
  for await (const item of ahead(items())) if (item === 2) break;
  expect(ended).toBe(true);
});
