/** Which chains a disk has, which one counts, and all that a person should be told of it. */
import { describe, expect, test } from 'vitest';
import {
  currentChain,
  describeSegment,
  findLoss,
  findProblems,
  findTileProblem,
  layerOf,
  newest,
  readCatalogue,
  refusedBecause,
  type Segment,
} from '../../../lib/core/chain.js';
import type { BitmapInfo, DiskState } from '../../../lib/core/diskSource.js';
import type { CbtReason } from '../../../lib/core/errors.js';
import { refusal } from '../../helpers/refusal.js';
import {
  bitmap,
  diskOf,
  EPOCH,
  flatDisk,
  KIB64,
  layer,
  NEW_EPOCH,
  OLD_EPOCH,
  pit,
  SIZE,
  segment,
  wholeChain,
} from '../../helpers/states.js';

function shape(state: DiskState): string[] {
  return readCatalogue(state).chains.map(
    (c) => `${c.layer}:${c.epoch.slice(0, 2)}:${c.segments.map((s) => `${s.first}-${s.last}`).join(',')}`,
  );
}

describe('the catalogue', () => {
  test('order comes from the numbers, never from the order of the bitmaps', () => {
    const bitmaps = [segment(10, { recording: true }), segment(2, { last: 9 }), segment(1)];
    for (const order of [bitmaps, [...bitmaps].reverse(), [bitmaps[1]!, bitmaps[2]!, bitmaps[0]!]]) {
      expect(shape(flatDisk(order))).toEqual(['0:aa:1-1,2-9,10-10']);
    }
  });

  test('every bitmap is in it exactly once, ours or not', () => {
    const uuid = '{E4F2EED0-37FE-4539-B50B-85D2E7FD235F}';
    const state = diskOf(
      layer([segment(1), bitmap('x'), bitmap('cbt1.damaged')]),
      layer([segment(1, { epoch: OLD_EPOCH }), bitmap(uuid)]),
    );
    const { chains, foreign } = readCatalogue(state);
    expect(chains.flatMap((c) => c.segments).length + foreign.length).toBe(5);
    expect(foreign.map((f) => [f.layer, f.info.name, f.pit])).toEqual([
      [0, 'x', null],
      [0, 'cbt1.damaged', null],
      [1, uuid, 'e4f2eed0-37fe-4539-b50b-85d2e7fd235f'],
    ]);
  });

  test('the current chain is on the highest layer that has one, and there the one that records', () => {
    const old = segment(9, { epoch: OLD_EPOCH });
    expect(shape(flatDisk([old, ...wholeChain(1)]))).toEqual(['0:aa:1-1', '0:bb:9-9']);
    const later = segment(1, { epoch: NEW_EPOCH, recording: true });
    expect(shape(flatDisk([segment(1), old, later]))).toEqual(['0:cc:1-1', '0:aa:1-1', '0:bb:9-9']);
    const overlaid = diskOf(layer([]), layer([old]), layer([later]));
    expect(currentChain(readCatalogue(overlaid))?.epoch).toBe(OLD_EPOCH);
    expect(currentChain(readCatalogue(flatDisk([])))).toBeNull();
  });

  test('the newest segment and how a segment is named', () => {
    const chain = currentChain(
      readCatalogue(flatDisk([segment(1), segment(2, { last: 4, recording: true })])),
    )!;
    expect(describeSegment(newest(chain))).toBe(`segment 2-4 (PIT ${pit(2)})`);
    expect(describeSegment(chain.segments[0])).toBe(`segment 1 (PIT ${pit(1)})`);
  });

  test('a layer that is not there is an error', () => {
    expect(refusal(() => layerOf(flatDisk([]), 1))).toMatchObject({ reason: 'MISSING', disk: 'vda' });
  });
});

describe('problems', () => {
  const shrunk = [16, 4, 16].map((b, i) => segment(i + 1, { sizeBytes: b * KIB64, recording: i === 2 }));
  const unreadable = { reason: 'FORMAT', message: 'bit 9 is unknown' } as const;

  test.each<[string, DiskState, [CbtReason, string][]]>([
    ['a whole chain', flatDisk(wholeChain(3)), []],
    ['nothing tracked', flatDisk([bitmap('x', { inconsistent: true })]), []],
    ['grown', flatDisk(wholeChain(2), { sizeBytes: 64 * KIB64 }), []],
    ['shrunk', flatDisk(wholeChain(2), { sizeBytes: 4 * KIB64 }), []],
    [
      'shrunk and grown again',
      flatDisk(shrunk),
      [['SIZE', `${4 * KIB64} bytes long and grew again: segment 1 `]],
    ],
    ['crashed', flatDisk([segment(1, { inconsistent: true })]), [['CRASHED', 'segment 1']]],
    ['a gap', flatDisk([segment(1), segment(3, { recording: true })]), [['MISSING', '2..2']]],
    ['paused', flatDisk([segment(1)]), [['NOT_RECORDING', 'segment 1']]],
    [
      'overlay',
      diskOf(layer([]), layer(wholeChain(1), { label: 'base' })),
      [['OVERLAY', 'base, below disk.qcow2']],
    ],
    [
      'a twin',
      diskOf(
        layer([segment(2, { recording: true })], { label: 'top' }),
        layer(wholeChain(1), { label: 'base' }),
      ),
      [['OVERLAY', 'two layers, top and base']],
    ],
    [
      'a rival',
      flatDisk([...wholeChain(1), segment(1, { epoch: OLD_EPOCH }), segment(2, { epoch: OLD_EPOCH })]),
      [['OTHER_EPOCH', `2 segment(s) of epoch ${OLD_EPOCH} are left beside epoch ${EPOCH}`]],
    ],
    [
      'claims',
      flatDisk([...wholeChain(1), bitmap('cbt9."x"'), bitmap('cbt1.y')]),
      [
        ['FORMAT', String.raw`"cbt9.\"x\"" on disk.qcow2 claims our naming`],
        ['FORMAT', 'cbt1.y'],
      ],
    ],
    [
      'an unreadable layer, told once',
      flatDisk(wholeChain(1), { problem: unreadable }),
      [['FORMAT', 'bit 9']],
    ],
    [
      'an unreadable layer below',
      diskOf(layer(wholeChain(1)), layer([bitmap('x')], { problem: unreadable })),
      [['FORMAT', 'bit 9']],
    ],
    [
      'bitmaps that were voided, although none can be listed',
      flatDisk([], { problem: { reason: 'MISSING', message: 'the autoclear bit is unset' } }),
      [['MISSING', 'autoclear']],
    ],
    [
      'a base that never held a bitmap is no problem',
      diskOf(layer(wholeChain(1)), layer([], { problem: unreadable, format: 'raw' })),
      [],
    ],
  ])('%s', (_, state, expected) => {
    const found = findProblems(state, readCatalogue(state));
    expect(found.map((p) => p.reason)).toEqual(expected.map(([reason]) => reason));
    for (const [i, problem] of found.entries()) expect(problem.message).toContain(expected[i]?.[1]);
  });
});

describe('what stops an answer from a segment on', () => {
  const broken = { reason: 'FORMAT', message: 'its table is no table' } as const;
  const newestOf = (n: number): [number, { recording: boolean }] => [n, { recording: true }];
  /** Of a disk with these bitmaps, asked from the segment with this number on. */
  const problemFrom = (first: number, state: DiskState) => {
    const chain = currentChain(readCatalogue(state));
    const from = chain?.segments.find((one) => one.first === first);
    if (chain === null || from === undefined) throw new Error(`no segment ${first}`);
    return findTileProblem(state, chain, from);
  };

  test('what is wrong with an older one does not', () => {
    for (const older of [segment(1, { inconsistent: true }), segment(1, { problem: broken })]) {
      const state = flatDisk([older, segment(2), segment(...newestOf(3))]);
      expect(problemFrom(2, state)).toBeNull();
      expect(problemFrom(1, state)).not.toBeNull();
    }
    expect(problemFrom(3, flatDisk([segment(1), segment(...newestOf(3))]))).toBeNull();
  });

  test('one that cannot be read does, wherever it is', () => {
    for (const at of [1, 2, 3]) {
      const bitmaps = [1, 2, 3].map((n) =>
        segment(n, { recording: n === 3, ...(n === at && { problem: broken }) }),
      );
      expect(problemFrom(1, flatDisk(bitmaps))).toEqual(broken);
    }
  });

  test('a layer that cannot be read does', () => {
    expect(problemFrom(1, flatDisk(wholeChain(2), { problem: broken }))).toEqual(broken);
  });

  test.each([
    ['an older one that reaches into it', 3, [segment(1, { last: 3 }), segment(...newestOf(3))]],
    ['an older one far below that does', 4, [segment(1, { last: 9 }), segment(3), segment(...newestOf(4))]],
    [
      'two that share a number',
      1,
      [segment(1, { last: 3 }), segment(3, { last: 4 }), segment(...newestOf(5))],
    ],
    ['one within another', 1, [segment(1, { last: 5 }), segment(2, { last: 3 }), segment(...newestOf(6))]],
  ])('%s', (_, from, bitmaps) => {
    expect(problemFrom(from, flatDisk(bitmaps))).toMatchObject({
      reason: 'MISSING',
      message: expect.stringMatching(/on disk\.qcow2 overlaps segment \d.*: a merge was left half-way/),
    });
  });

  test('one part of a segment that lies on two layers is enough', () => {
    const two = (parts: readonly BitmapInfo[]): Segment => ({
      epoch: EPOCH,
      first: 1,
      last: 1,
      sizeBytes: SIZE,
      pit: pit(1),
      info: parts[0] ?? segment(1),
      parts: parts.map((info, at) => ({ layer: at, info })),
    });
    const state = diskOf(layer([]), layer([], { label: 'base' }));
    const good = segment(1, { recording: true });
    const crashed = segment(1, { recording: true, inconsistent: true });
    const unread = segment(1, { recording: true, problem: broken });
    const found = (...parts: BitmapInfo[]) => {
      const whole = two(parts);
      return findTileProblem(state, { epoch: EPOCH, layer: 0, segments: [whole] }, whole);
    };
    expect(found(good, good)).toBeNull();
    for (const parts of [[good, crashed] as const, [crashed, good] as const])
      expect(found(...parts)).toMatchObject({
        reason: 'CRASHED',
        message: expect.stringContaining('disk.qcow2'),
      });
    for (const parts of [[good, unread] as const, [unread, good] as const])
      expect(found(...parts)).toEqual(broken);
  });

  test('neighbours that do not touch others do not', () => {
    expect(problemFrom(4, flatDisk([segment(1, { last: 3 }), segment(...newestOf(4))]))).toBeNull();
  });
});

describe('a chain of another history', () => {
  const other = segment(1, { epoch: OLD_EPOCH, recording: true });

  test('on a layer below is neither a twin nor a rival', () => {
    const state = diskOf(layer(wholeChain(2)), layer([other], { label: 'base' }));
    const catalogue = readCatalogue(state);
    const chain = currentChain(catalogue);
    expect(chain && findLoss(state, catalogue, chain)).toBeNull();
  });

  test('comes in the order of its name where neither records', () => {
    const [a, b] = [segment(1), segment(1, { epoch: OLD_EPOCH })];
    for (const order of [
      [a, b],
      [b, a],
    ])
      expect(shape(flatDisk(order))).toEqual(['0:aa:1-1', '0:bb:1-1']);
  });
});

test('a problem as an error: what is only held can be asked again, all else is a loss', () => {
  const state = flatDisk([]);
  expect(refusedBecause(state, { reason: 'BUSY', message: 'held' })).toMatchObject({
    code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    reason: 'BUSY',
    disk: 'vda',
  });
  expect(refusedBecause(state, { reason: 'MISSING', message: 'gone' })).toMatchObject({
    code: 'ERR_CBT_TRACKING_LOST',
    reason: 'MISSING',
    disk: 'vda',
  });
});
