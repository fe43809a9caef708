/** What a change map is read from, and how far an answer reaches. */
import { describe, expect, test } from 'vitest';
import { type ChangePlan, planChanges } from '../../../lib/core/changeQuery.js';
import type { BitmapInfo, DiskState } from '../../../lib/core/diskSource.js';
import type { CbtReason } from '../../../lib/core/errors.js';
import type { Point } from '../../../lib/core/point.js';
import { plan } from '../../helpers/planned.js';
import { refusal } from '../../helpers/refusal.js';
import {
  bitmap,
  changeIdOf,
  diskOf,
  EPOCH,
  flatDisk,
  KIB64,
  layer,
  OLD_EPOCH,
  pit,
  SIZE,
  segment,
  wholeChain,
} from '../../helpers/states.js';

/** Sequence numbers of the bitmaps that a plan reads. */
function tiles(state: DiskState, { bitmaps }: ChangePlan): string[] {
  return bitmaps.map(({ layer: l, name }) => {
    expect(state.layers[l]?.bitmaps.map((b) => b.name)).toContain(name);
    return `${l}:${name.split('.')[2]}`;
  });
}

const shuffled = (bitmaps: readonly BitmapInfo[]): BitmapInfo[] => [...bitmaps].reverse();

describe('the bitmaps of an answer', () => {
  const four = flatDisk(shuffled(wholeChain(4)));

  test.each<[string, string, string | undefined, string[]]>([
    ['oldest to now', pit(1), undefined, ['0:1', '0:2', '0:3', '0:4']],
    ['newest to now', pit(4), undefined, ['0:4']],
    ['between two points: up to, not including, the later one', pit(1), pit(3), ['0:1', '0:2']],
    ['neighbours', pit(2), pit(3), ['0:2']],
    ['a point to itself: nothing', pit(2), pit(2), []],
    ['a changeId', changeIdOf(3), undefined, ['0:3', '0:4']],
    ['a UUID in braces and capitals', `{${pit(3).toUpperCase()}}`, pit(4), ['0:3']],
    ['an exact name', segment(2).name, pit(3), ['0:2']],
  ])('%s', (_, from, to, expected) => {
    const answer = plan(four, from, to);
    expect(tiles(four, answer)).toEqual(expected);
    expect(answer).toMatchObject({
      granularityBytes: KIB64,
      sizeBytes: SIZE,
      grownFromBytes: SIZE,
      overlayLayers: 0,
      warnings: [],
    });
  });

  describe('checkpoint:<name>', () => {
    const named = (...names: string[]): DiskState =>
      flatDisk(names.map((name) => bitmap(name, { recording: true })));
    test('is the bitmap of that very name, where there is one', () => {
      expect(plan(named('checkpoint:x', 'y'), 'checkpoint:x').bitmaps).toMatchObject([
        { name: 'checkpoint:x' },
      ]);
    });
    test('else the checkpoint', () => {
      expect(plan(named('x', 'y'), 'checkpoint:x').bitmaps).toMatchObject([{ name: 'x' }]);
    });
    test('where both are there, nobody knows', () => {
      expect(refusal(() => plan(named('x', 'checkpoint:x'), 'checkpoint:x'))).toMatchObject({
        reason: 'FOREIGN',
      });
    });
  });

  test('a merged tile stands for all it holds', () => {
    const state = flatDisk([segment(4, { recording: true }), segment(1, { last: 3 })]);
    expect(tiles(state, plan(state, pit(1)))).toEqual(['0:1-3', '0:4']);
    expect(tiles(state, plan(state, pit(1), pit(4)))).toEqual(['0:1-3']);
  });

  test('an older segment that is gone does not matter to a younger question', () => {
    const state = flatDisk([segment(3), segment(4, { recording: true })]);
    expect(tiles(state, plan(state, pit(3)))).toEqual(['0:3', '0:4']);
  });

  test('the coarsest granularity among the bitmaps read is told', () => {
    const state = flatDisk([
      segment(1, { granularityBytes: 4096 }),
      segment(2, { granularityBytes: 1 << 20 }),
      segment(3, { granularityBytes: 512, recording: true }),
    ]);
    expect(plan(state, pit(1)).granularityBytes).toBe(1 << 20);
    expect(plan(state, pit(1), pit(2)).granularityBytes).toBe(4096);
    expect(plan(state, pit(3)).granularityBytes).toBe(512);
    expect(plan(state, pit(3), pit(3)).granularityBytes).toBe(512);
  });

  test('from and to name the points, not how they were written', () => {
    const answer = plan(four, changeIdOf(1), segment(3).name);
    expect([answer.from, answer.to]).toEqual([pit(1), pit(3)]);
  });

  test('a chain of an earlier epoch still answers between its own frozen points', () => {
    const old = { epoch: OLD_EPOCH };
    const state = flatDisk([
      segment(1, { ...old, pit: pit(11) }),
      segment(2, { ...old, pit: pit(12) }),
      segment(1, { recording: true }),
    ]);
    expect(plan(state, pit(11), pit(12)).bitmaps).toEqual([
      { layer: 0, name: segment(1, { ...old, pit: pit(11) }).name },
    ]);
    expect(refusal(() => plan(state, pit(11))).reason).toBe('NOT_RECORDING');
  });

  test('many thousand segments are no trouble', () => {
    const state = flatDisk(wholeChain(65_535));
    expect(plan(state, pit(1)).bitmaps).toHaveLength(65_535);
  });
});

describe('size', () => {
  const sizes = (then: number[], now: number): DiskState =>
    flatDisk(
      then.map((blocks, i) =>
        segment(i + 1, { sizeBytes: blocks * KIB64, recording: i + 1 === then.length }),
      ),
      { sizeBytes: now * KIB64 },
    );

  test.each<[string, number[], number, number, number | null, number, number]>([
    ['a grown disk: the new part counts as changed', [8], 16, 1, null, 8, 16],
    ['grown between two points', [8, 12, 16], 16, 1, 2, 8, 12],
    ['grown after the later point: not asked about', [8, 8, 8], 16, 1, 2, 8, 8],
    ['shrunk: clipped', [16], 8, 1, null, 8, 8],
    ['shrunk between two points', [16, 8], 8, 1, 2, 8, 8],
    ['grown and shrunk back: nothing is new', [8, 16], 8, 1, null, 8, 8],
    ['grown, then shrunk to less than the peak', [8, 16], 12, 1, null, 8, 12],
    ['shrunk before the earlier point', [16, 8, 16], 16, 2, null, 8, 16],
    ['an empty disk that grew', [0], 4, 1, null, 0, 4],
  ])('%s', (_, then, now, from, to, grownFrom, size) => {
    const answer = plan(sizes(then, now), pit(from), to === null ? undefined : pit(to));
    expect([answer.grownFromBytes, answer.sizeBytes]).toEqual([grownFrom * KIB64, size * KIB64]);
  });

  test.each<[string, number[], number, number, number | null, number]>([
    ['shrunk at a point in between, grown again', [16, 8, 16], 16, 1, null, 8],
    ['partly grown again', [16, 8, 12], 12, 1, null, 8],
    ['shrunk after the later point: the frozen bits were dropped too', [16, 16], 8, 1, 2, 8],
    ['shrunk and grown again after the later point', [16, 16, 4, 16], 16, 1, 2, 4],
  ])('refused: %s', (_, then, now, from, to, smallest) => {
    const error = refusal(() => plan(sizes(then, now), pit(from), to === null ? undefined : pit(to)));
    expect(error).toMatchObject({ code: 'ERR_CBT_TRACKING_LOST', reason: 'SIZE', disk: 'vda' });
    expect(error.message).toContain(`${smallest * KIB64} bytes`);
    expect(error.details['smallestBytes']).toBe(smallest * KIB64);
  });

  test('one byte is enough to be refused, and none is not', () => {
    const witness = (sizeBytes: number): DiskState =>
      flatDisk([segment(1), segment(2, { sizeBytes }), segment(3, { recording: true })]);
    expect(refusal(() => plan(witness(SIZE - 1), pit(1))).reason).toBe('SIZE');
    expect(plan(witness(SIZE), pit(1)).grownFromBytes).toBe(SIZE);
  });

  test('a layer in between that is shorter than the disk below and above it', () => {
    const state = diskOf(
      layer([], { label: 'top', sizeBytes: 16 * KIB64 }),
      layer([], { label: 'middle', sizeBytes: 8 * KIB64 }),
      layer([segment(1, { recording: true })], { label: 'base', sizeBytes: 16 * KIB64 }),
    );
    expect(refusal(() => plan(state, pit(1))).reason).toBe('SIZE');
  });

  test('a disk past what a number names exactly is refused, not rounded', () => {
    for (const sizeBytes of [2 ** 53, Number.POSITIVE_INFINITY, Number.NaN, -1, 0.5]) {
      const error = refusal(() => plan(flatDisk([segment(1, { recording: true })], { sizeBytes }), pit(1)));
      expect(error.code).toBe('ERR_CBT_UNSUPPORTED');
      expect(error.message).toContain(`${sizeBytes}`);
      expect(error.message).toContain(`${2 ** 53 - 1}`);
    }
  });
});

describe('an overlay above the chain', () => {
  const base = layer(wholeChain(2), { label: 'base' });

  test('all that the layers above hold is added, and said', () => {
    const answer = plan(diskOf(layer([], { label: 'top' }), layer([], { label: 'mid' }), base), pit(1));
    expect(answer.overlayLayers).toBe(2);
    expect(answer.bitmaps.map((b) => b.layer)).toEqual([2, 2]);
    expect(answer.warnings).toEqual([
      'an overlay took the writes (top, mid): all that it holds is counted as changed',
    ]);
  });

  test('also when the overlay is longer', () => {
    const answer = plan(diskOf(layer([], { sizeBytes: 2 * SIZE }), base), pit(1));
    expect([answer.grownFromBytes, answer.sizeBytes]).toEqual([SIZE, 2 * SIZE]);
  });

  test('one epoch on two layers is a doubt', () => {
    const state = diskOf(layer([segment(3, { recording: true })], { label: 'top' }), base);
    const error = refusal(() => plan(state, pit(1)));
    expect(error).toMatchObject({ code: 'ERR_CBT_TRACKING_LOST', reason: 'OVERLAY' });
    expect(error.message).toContain('base and top');
  });

  test('a point below and one above do not compare', () => {
    const above = layer([segment(1, { epoch: OLD_EPOCH, pit: pit(9), recording: true })]);
    const error = refusal(() => plan(diskOf(above, base), pit(1), pit(9)));
    expect(error).toMatchObject({ reason: 'OTHER_EPOCH' });
    expect(error.message).toContain(OLD_EPOCH);
  });
});

describe('bitmaps of others', () => {
  const UUID = 'e4f2eed0-37fe-4539-b50b-85d2e7fd235f';
  const braces = `{${UUID.toUpperCase()}}`;

  test('one named by a UUID answers what changed since', () => {
    const answer = plan(flatDisk([bitmap(braces, { recording: true })]), UUID);
    expect(answer).toMatchObject({ bitmaps: [{ layer: 0, name: braces }], from: UUID, to: null });
    expect(answer.warnings[0]).toContain('growth since then may be missing');
  });

  test('any other answers to its exact name alone', () => {
    const state = flatDisk([bitmap('Backup', { recording: true })]);
    expect(plan(state, 'Backup').from).toBe('Backup');
    expect(refusal(() => plan(state, 'backup')).reason).toBe('UNKNOWN_PIT');
  });

  test('below an overlay, the shortest layer says from where all is new', () => {
    const foreign = layer([bitmap('b', { recording: true })], { sizeBytes: 16 * KIB64 });
    const short = layer([], { sizeBytes: 4 * KIB64 });
    const top = layer([], { sizeBytes: 20 * KIB64 });
    expect(plan(diskOf(top, short, foreign), 'b')).toMatchObject({
      overlayLayers: 2,
      grownFromBytes: 4 * KIB64,
      sizeBytes: 20 * KIB64,
    });
  });

  test('of one name on several layers (a snapshot made copies), the lowest one and all above it answer', () => {
    const state = diskOf(
      layer([bitmap(UUID, { recording: true })], { label: 'top' }),
      layer([bitmap(braces, { recording: true })], { label: 'base' }),
    );
    expect(plan(state, UUID)).toMatchObject({ bitmaps: [{ layer: 1, name: braces }], overlayLayers: 1 });
    const named = diskOf(
      layer([bitmap('b', { recording: true })]),
      layer([bitmap('b', { recording: true })]),
    );
    expect(plan(named, 'b')).toMatchObject({ bitmaps: [{ layer: 1, name: 'b' }], overlayLayers: 1 });
  });

  test('up to our newest point, a session’s instant, it answers more than what changed, and says so', () => {
    const state = flatDisk([bitmap('b', { recording: true }), ...wholeChain(2)]);
    expect(plan(state, 'b', pit(2))).toMatchObject({
      bitmaps: [{ layer: 0, name: 'b' }],
      to: pit(2),
      sizeBytes: SIZE,
      warnings: [expect.stringContaining('not ours'), expect.stringContaining('counts as changed too')],
    });
    // The disk shrank after the point: QEMU dropped the bits past its end.
    const shrunk = { ...state, sizeBytes: SIZE - KIB64 };
    expect(plan(shrunk, 'b', pit(2))).toMatchObject({ sizeBytes: SIZE, grownFromBytes: SIZE - KIB64 });
    // An older point of ours is no such end.
    expect(refusal(() => plan(state, 'b', pit(1)))).toMatchObject({ reason: 'FOREIGN' });
  });

  test('a broken copy below is not passed over for a good one above', () => {
    const state = diskOf(
      layer([bitmap('b', { recording: true })]),
      layer([bitmap('b', { inconsistent: true })], { label: 'base' }),
    );
    expect(refusal(() => plan(state, 'b'))).toMatchObject({ reason: 'CRASHED' });
  });

  test('beside one of ours with the same UUID which instant is meant cannot be told; each by its own name can', () => {
    const state = flatDisk([bitmap(pit(1), { recording: true }), segment(1, { recording: true })]);
    expect(refusal(() => plan(state, pit(1)))).toMatchObject({ reason: 'FOREIGN', recovery: 'full' });
    for (const name of [segment(1).name, changeIdOf(1)])
      expect(plan(state, name).bitmaps[0]?.name).toBe(segment(1).name);
  });

  test.each<[string, DiskState, string, string | undefined, CbtReason, string]>([
    [
      'nothing between two of them',
      flatDisk([bitmap(UUID, { recording: true }), bitmap('b', { recording: true })]),
      UUID,
      'b',
      'FOREIGN',
      'nothing between two points',
    ],
    [
      'no end of a segment',
      flatDisk([...wholeChain(2), bitmap('b', { recording: true })]),
      pit(1),
      'b',
      'FOREIGN',
      'names no end of a segment',
    ],
    [
      'inconsistent',
      flatDisk([bitmap('b', { inconsistent: true })]),
      'b',
      undefined,
      'CRASHED',
      'bitmap "b" on disk',
    ],
    ['not recording', flatDisk([bitmap('b')]), 'b', undefined, 'NOT_RECORDING', 'does not record'],
    [
      'unreadable',
      flatDisk([
        bitmap('b', { recording: true, problem: { reason: 'FORMAT', message: 'flag 3 is unknown' } }),
      ]),
      'b',
      undefined,
      'FORMAT',
      'flag 3 is unknown',
    ],
    [
      'two that differ in spelling alone',
      flatDisk([bitmap(UUID, { recording: true }), bitmap(braces, { recording: true })]),
      UUID,
      undefined,
      'FOREIGN',
      'two bitmaps',
    ],
    [
      'two of one name',
      flatDisk([bitmap('b', { recording: true }), bitmap('b', { recording: true })]),
      'b',
      undefined,
      'FOREIGN',
      'two bitmaps',
    ],
    [
      'a name that claims our scheme and cannot be read',
      flatDisk([bitmap('cbt2.new', { recording: true })]),
      'cbt2.new',
      undefined,
      'FORMAT',
      'claims our naming',
    ],
  ])('refused: %s', (_, state, from, to, reason, message) => {
    const error = refusal(() => plan(state, from, to));
    expect(error.reason).toBe(reason);
    expect(error.message).toContain(message);
    expect(error.recovery).toBe('full');
  });
});

describe('an instant', () => {
  const instant = { epoch: EPOCH, sequence: 2, pit: pit(2) };
  const ask = (state: DiskState, from: typeof instant, to: Point | null = null) =>
    planChanges(state, { kind: 'instant', ...from }, to);

  test('answers where all of it stands, and only there', () => {
    expect(ask(flatDisk(wholeChain(3)), instant).bitmaps).toHaveLength(2);
    expect(refusal(() => ask(flatDisk(wholeChain(3)), { ...instant, epoch: OLD_EPOCH })).reason).toBe(
      'OTHER_EPOCH',
    );
    for (const wrong of [{ sequence: 1 }, { sequence: 9 }, { pit: pit(9) }])
      expect(refusal(() => ask(flatDisk(wholeChain(3)), { ...instant, ...wrong })).reason).toBe(
        'UNKNOWN_PIT',
      );
  });

  test('a PIT that another disk has too is no proof: the same question of that disk is refused', () => {
    const other = flatDisk([segment(1, { epoch: OLD_EPOCH, pit: pit(2), recording: true })]);
    expect(planChanges(other, { kind: 'pit', pit: pit(2) }, null).bitmaps).toHaveLength(1);
    expect(refusal(() => ask(other, instant)).reason).toBe('OTHER_EPOCH');
    const own = { kind: 'pit', pit: pit(2) } as const;
    const to = { kind: 'instant', ...instant } as const;
    expect(refusal(() => planChanges(other, own, to)).reason).toBe('OTHER_EPOCH');
  });
});
