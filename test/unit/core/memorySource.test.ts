/** The fake is held to the promises of the port, so that a test over it means something. */
import { describe, expect, test } from 'vitest';
import { MemorySource, pairsOf, rangesOf } from '../../helpers/memorySource.js';
import { refusalOf } from '../../helpers/refusal.js';
import { bitmap, diskOf, KIB64, layer } from '../../helpers/states.js';

const SIZE = 10 * KIB64 + 100;
const state = diskOf(
  layer([bitmap('top', { granularityBytes: 512 })], { sizeBytes: SIZE }),
  layer([bitmap('a'), bitmap('b', { granularityBytes: 2 * KIB64 }), bitmap('held', { busy: true })], {
    sizeBytes: 8 * KIB64,
  }),
);
const source = (): MemorySource =>
  new MemorySource(state, {
    dirty: [
      new Map([['top', rangesOf([700, 1], [SIZE - 1, 1])]]),
      new Map([
        ['a', rangesOf([KIB64, 1])],
        ['b', rangesOf([5 * KIB64, 1])],
      ]),
    ],
    allocated: [rangesOf([0, 10]), rangesOf([5, 10])],
  });
const whole = (endBytes: number) => ({ startBytes: 0, endBytes, maxRanges: Number.POSITIVE_INFINITY });

describe('the memory source', () => {
  test('bits are as coarse as the coarsest bitmap and the question, and end with the layer', async () => {
    const one = await source().bitmapRanges([{ layer: 0, name: 'top' }], 512);
    expect(pairsOf((await one.page(whole(SIZE))).ranges)).toEqual([
      [512, 512],
      [SIZE - 100, 100],
    ]);
    const coarse = await source().bitmapRanges([{ layer: 0, name: 'top' }], KIB64);
    expect(pairsOf((await coarse.page(whole(SIZE))).ranges)).toEqual([
      [0, KIB64],
      [10 * KIB64, 100],
    ]);
    const both = await source().bitmapRanges(
      [
        { layer: 1, name: 'a' },
        { layer: 1, name: 'b' },
      ],
      512,
    );
    expect(pairsOf((await both.page(whole(8 * KIB64))).ranges)).toEqual([
      [0, 2 * KIB64],
      [4 * KIB64, 2 * KIB64],
    ]);
    const page = await both.page({ ...whole(8 * KIB64), maxRanges: 1 });
    expect([pairsOf(page.ranges), page.nextBytes]).toEqual([[[0, 2 * KIB64]], 4 * KIB64]);
  });

  test('it is not asked past the end of a layer, for a bitmap it has not, or for one that is held', async () => {
    const below = await source().bitmapRanges([{ layer: 1, name: 'a' }], 512);
    expect((await refusalOf(below.page(whole(SIZE)))).code).toBe('ERR_CBT_INTERNAL');
    expect((await refusalOf(source().bitmapRanges([{ layer: 0, name: 'a' }], 512))).code).toBe(
      'ERR_CBT_UNKNOWN_PIT',
    );
    expect(await refusalOf(source().bitmapRanges([{ layer: 1, name: 'held' }], 512))).toMatchObject({
      reason: 'BUSY',
    });
  });

  test('allocation through all layers, or through the first ones', async () => {
    expect(pairsOf((await (await source().allocatedRanges()).page(whole(SIZE))).ranges)).toEqual([[0, 15]]);
    expect(pairsOf((await (await source().allocatedRanges(1)).page(whole(SIZE))).ranges)).toEqual([[0, 10]]);
  });

  test('a fired signal stops it', async () => {
    const signal = AbortSignal.abort();
    const asked = source();
    for (const work of [
      asked.state(signal),
      asked.bitmapRanges([], 512, signal),
      asked.allocatedRanges(1, signal),
    ])
      expect((await refusalOf(work)).code).toBe('ERR_CBT_ABORTED');
  });

  test('the state is read afresh', async () => {
    let now = state;
    const changing = new MemorySource(() => now);
    now = diskOf(layer([]));
    expect(await changing.state()).toBe(now);
  });
});
