/** A disk asked as its users ask it: the list of its points, and what changed between any two. */
import { describe, expect, test } from 'vitest';
import type { DiskState } from '../../../lib/core/diskSource.js';
import { CbtError } from '../../../lib/core/errors.js';
import { type ChangesOptions, TrackedDisk } from '../../../lib/core/trackedDisk.js';
import { type MemoryContent, MemorySource, pairsOf, rangesOf } from '../../helpers/memorySource.js';
import { refusalOf } from '../../helpers/refusal.js';
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
import { tinyKernel } from '../../helpers/tinyKernel.js';

const block = (n: number, count = 1) => [n * KIB64, count * KIB64] as const;

function open(
  state: DiskState | (() => DiskState),
  content: MemoryContent = {},
): { disk: TrackedDisk; source: MemorySource } {
  const source = new MemorySource(state, content);
  return { disk: new TrackedDisk(source, tinyKernel), source };
}

async function blocks(disk: TrackedDisk, options: ChangesOptions): Promise<[number, number][]> {
  const map = await disk.changes(options);
  return pairsOf(await map.ranges()).map(([offset, length]) => [offset / KIB64, length / KIB64]);
}

const dirtyThree = new Map([
  [segment(1).name, rangesOf([5, 1])],
  [segment(2).name, rangesOf(block(3))],
  [segment(3).name, rangesOf(block(4), block(9))],
]);
const three = { dirty: [dirtyThree], allocated: [rangesOf(block(0, 2), block(5))] };

describe('changes', () => {
  test.each<[string, ChangesOptions, [number, number][]]>([
    [
      'since the first point',
      { from: pit(1) },
      [
        [0, 1],
        [3, 2],
        [9, 1],
      ],
    ],
    ['between two', { from: pit(1), to: pit(2) }, [[0, 1]]],
    [
      'by changeId',
      { from: changeIdOf(2) },
      [
        [3, 2],
        [9, 1],
      ],
    ],
    ['a point to itself', { from: pit(2), to: pit(2) }, []],
    [
      'from a start',
      { from: pit(1), start: 4 * KIB64 },
      [
        [4, 1],
        [9, 1],
      ],
    ],
    ['at most', { from: pit(1), max: 1 }, [[0, 1]]],
    [
      'allocated',
      { from: '*' },
      [
        [0, 2],
        [5, 1],
      ],
    ],
  ])('%s', async (_, options, expected) => {
    expect(await blocks(open(flatDisk(wholeChain(3)), three).disk, options)).toEqual(expected);
  });

  test('one question to the source, about the tiles and nothing else', async () => {
    const { disk, source } = open(flatDisk(wholeChain(3)), three);
    await disk.changes({ from: pit(2) });
    expect(source.asked).toEqual([
      {
        bitmaps: [
          { layer: 0, name: segment(2).name },
          { layer: 0, name: segment(3).name },
        ],
        granularityBytes: KIB64,
      },
    ]);
    expect(source.askedLayers).toEqual([]);
  });

  test('the map says what it is of', async () => {
    const map = await open(flatDisk(wholeChain(2))).disk.changes({ from: segment(1).name, to: pit(2) });
    expect({ ...map, disk: map.disk }).toMatchObject({
      disk: 'vda',
      sizeBytes: SIZE,
      granularityBytes: KIB64,
      from: pit(1),
      to: pit(2),
      warnings: [],
    });
  });

  test('growth counts as changed', async () => {
    const grown = flatDisk([segment(1, { recording: true })], { sizeBytes: 20 * KIB64 });
    const dirty = [new Map([[segment(1).name, rangesOf(block(2), block(15))]])];
    expect(await blocks(open(grown, { dirty }).disk, { from: pit(1) })).toEqual([
      [2, 1],
      [15, 5],
    ]);
  });

  test('the later point may be longer than the disk is now: no backend is asked for what is not there', async () => {
    const state = flatDisk(
      [segment(1, { sizeBytes: 4 * KIB64 }), segment(2, { sizeBytes: 16 * KIB64, recording: true })],
      { sizeBytes: 8 * KIB64 },
    );
    const dirty = [new Map([[segment(1, { sizeBytes: 4 * KIB64 }).name, rangesOf(block(1))]])];
    const { disk, source } = open(state, { dirty });
    const map = await disk.changes({ from: pit(1), to: pit(2) });
    expect(pairsOf(await map.ranges())).toEqual([[...block(1)], [...block(4, 12)]]);
    expect(await map.changedBytes()).toBe(13 * KIB64);
    expect(source.furthest).toBe(8 * KIB64);
  });

  test('below a longer overlay: the segments, what the overlay holds, and the growth', async () => {
    const base = layer([segment(1, { recording: true })], { label: 'base' });
    const state = diskOf(layer([], { label: 'top', sizeBytes: 20 * KIB64 }), base);
    const { disk, source } = open(state, {
      dirty: [new Map(), new Map([[segment(1).name, rangesOf(block(2))]])],
      allocated: [rangesOf([5 * KIB64, 1]), rangesOf(block(0, 16))],
    });
    const map = await disk.changes({ from: pit(1) });
    expect(pairsOf(await map.ranges())).toEqual([[...block(2)], [5 * KIB64, 1], [...block(16, 4)]]);
    expect(map.warnings).toHaveLength(1);
    expect(source.askedLayers).toEqual([1]);
  });

  test('copies of a foreign bitmap on two layers: the writes below the snapshot are in the answer', async () => {
    const state = diskOf(
      layer([bitmap('b', { recording: true })]),
      layer([bitmap('b', { recording: true })]),
    );
    const { disk } = open(state, {
      dirty: [new Map([['b', rangesOf(block(7))]]), new Map([['b', rangesOf(block(2))]])],
      allocated: [rangesOf(block(7)), rangesOf(block(0, 8))],
    });
    expect(await blocks(disk, { from: 'b' })).toEqual([
      [2, 1],
      [7, 1],
    ]);
  });

  test('every question reads the state afresh', async () => {
    let state = flatDisk(wholeChain(1));
    const { disk } = open(() => state);
    await disk.changes({ from: pit(1) });
    state = flatDisk([segment(1, { inconsistent: true })]);
    expect(await refusalOf(disk.changes({ from: pit(1) }))).toMatchObject({ reason: 'CRASHED' });
  });

  test.each<[string, ChangesOptions, string]>([
    ['* with a later point', { from: '*', to: pit(1) }, 'to is '],
    ['* as the later point', { from: pit(1), to: '*' }, '*'],
    ['no point', { from: '' }, 'from is ""'],
    ['no later point', { from: pit(1), to: '' }, 'to is ""'],
    ['no option', {} as ChangesOptions, 'from is undefined'],
    ['a start past the end', { from: pit(1), start: SIZE + 1 }, 'start is'],
    ['no ranges', { from: pit(1), max: 0 }, 'max is 0'],
    ['no ranges of what is allocated', { from: '*', max: 0 }, 'max is 0'],
  ])('refused: %s', async (_, options, message) => {
    const error = await refusalOf(open(flatDisk(wholeChain(1))).disk.changes(options));
    expect([error.code, error.disk]).toEqual(['ERR_CBT_INVALID_ARGUMENT', 'vda']);
    expect(error.message).toContain(message);
  });

  test('a bitmap that the source cannot read is an error before the first range', async () => {
    const { disk } = open(flatDisk([segment(1), segment(2, { recording: true, busy: true })]));
    expect(await refusalOf(disk.changes({ from: pit(1) }))).toMatchObject({ reason: 'BUSY', disk: 'vda' });
  });
});

describe('the list of points', () => {
  test('a whole chain', async () => {
    const state = flatDisk([
      ...wholeChain(3),
      bitmap(`{${pit(9)}}`, { recording: true }),
      bitmap('x', { inconsistent: true }),
    ]);
    const list = await open(state, three).disk.pits();
    const entry = (sequence: number, changedBytes: number) => ({
      pit: pit(sequence),
      sequence,
      changeId: changeIdOf(sequence),
      granularityBytes: KIB64,
      recording: sequence === 3,
      changedBytes,
    });
    expect(list).toEqual({
      disk: 'vda',
      sizeBytes: SIZE,
      epoch: EPOCH,
      state: 'recording',
      pits: [entry(1, KIB64), entry(2, KIB64), entry(3, 2 * KIB64)],
      foreign: [
        {
          name: `{${pit(9)}}`,
          pit: pit(9),
          layer: 'disk.qcow2',
          granularityBytes: KIB64,
          recording: true,
          inconsistent: false,
        },
        {
          name: 'x',
          pit: null,
          layer: 'disk.qcow2',
          granularityBytes: KIB64,
          recording: false,
          inconsistent: true,
        },
      ],
      problems: [],
      notes: [],
    });
  });

  test('every changeId that it tells is answered', async () => {
    const { disk } = open(flatDisk([segment(2, { last: 5 }), segment(6, { recording: true })]));
    for (const one of (await disk.pits()).pits) {
      expect((await disk.changes({ from: one.changeId })).from).toBe(one.pit);
    }
  });

  const shrunk = [16, 4, 16].map((b, i) => segment(i + 1, { sizeBytes: b * KIB64, recording: i === 2 }));
  test.each<[string, DiskState, string, string[]]>([
    ['nothing', flatDisk([]), 'untracked', []],
    ['only bitmaps of others', flatDisk([bitmap('x')]), 'untracked', []],
    ['paused', flatDisk([segment(1)]), 'lost', ['NOT_RECORDING']],
    ['crashed', flatDisk([segment(1, { inconsistent: true, recording: true })]), 'lost', ['CRASHED']],
    ['below an overlay', diskOf(layer([]), layer(wholeChain(1))), 'overlay', ['OVERLAY']],
    [
      'on two layers',
      diskOf(layer([segment(2, { recording: true })]), layer(wholeChain(1))),
      'lost',
      ['OVERLAY'],
    ],
    [
      'beside another epoch',
      flatDisk([...wholeChain(1), segment(1, { epoch: OLD_EPOCH })]),
      'lost',
      ['OTHER_EPOCH'],
    ],
    ['shrunk and grown', flatDisk(shrunk), 'recording', ['SIZE']],
  ])('%s', async (_, state, tracking, reasons) => {
    const list = await open(state).disk.pits();
    expect([list.state, list.problems.map((p) => p.reason)]).toEqual([tracking, reasons]);
    expect(list.epoch === null).toBe(tracking === 'untracked');
  });

  test('the state says recording exactly when the oldest point answers, shrinks aside', async () => {
    const states = [
      flatDisk(wholeChain(2)),
      flatDisk([segment(1), segment(2)]),
      flatDisk([segment(1), segment(3, { recording: true })]),
      flatDisk([segment(1, { inconsistent: true }), segment(2, { recording: true })]),
      flatDisk([segment(1, { last: 2 }), segment(2), segment(3, { recording: true })]),
    ];
    for (const state of states) {
      const { disk } = open(state);
      const list = await disk.pits();
      const answers = await disk.changes({ from: list.pits[0]!.pit }).then(
        () => true,
        () => false,
      );
      expect(answers).toBe(list.state === 'recording');
    }
  });

  test('a bitmap that cannot be read is listed without its sum, and the reason is told', async () => {
    const damaged = { reason: 'FORMAT', message: 'cluster 3 is past the end' } as const;
    const state = flatDisk([segment(1, { problem: damaged }), segment(2, { recording: true, busy: true })]);
    const list = await open(state).disk.pits();
    expect(list.pits.map((p) => p.changedBytes)).toEqual([null, null]);
    expect(list.problems.map((p) => p.reason)).toEqual(['FORMAT', 'BUSY']);
  });

  test('an error without a reason stops the list', async () => {
    const { source } = open(flatDisk(wholeChain(1)));
    source.bitmapRanges = () =>
      Promise.reject(new CbtError('ERR_CBT_CORRUPT_IMAGE', 'table is past the end'));
    const error = await refusalOf(new TrackedDisk(source, tinyKernel).pits());
    expect([error.code, error.disk]).toEqual(['ERR_CBT_CORRUPT_IMAGE', 'vda']);
  });
});

describe('the object', () => {
  test('a disk too large for exact offsets is refused in every call', async () => {
    const { disk } = open(flatDisk(wholeChain(1), { sizeBytes: 2 ** 53 }));
    for (const work of [
      disk.pits(),
      disk.changes({ from: pit(1) }),
      disk.allocated(),
      disk.changes({ from: '*' }),
    ])
      expect((await refusalOf(work)).code).toBe('ERR_CBT_UNSUPPORTED');
  });

  test('whoever closes it again waits for the closing that goes on', async () => {
    const { disk, source } = open(flatDisk(wholeChain(1)));
    let finish = (): void => undefined;
    source.close = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    expect((await refusalOf(disk.close({ timeoutMs: 20 }))).code).toBe('ERR_CBT_TIMEOUT');
    let isClosed = false;
    const again = disk.close().then(() => {
      isClosed = true;
    });
    expect((await refusalOf(disk.close({ timeoutMs: 20 }))).code).toBe('ERR_CBT_TIMEOUT');
    expect(isClosed).toBe(false);
    finish();
    await again;
  });

  test('closed once, and then refuses', async () => {
    const { disk, source } = open(flatDisk(wholeChain(1)));
    await disk.close();
    await disk.close();
    await disk[Symbol.asyncDispose]();
    expect(source.closed).toBe(1);
    for (const work of [disk.pits(), disk.changes({ from: pit(1) }), disk.allocated(), disk.topLayer()]) {
      const error = await refusalOf(work);
      expect([error.code, error.disk]).toEqual(['ERR_CBT_CLOSED', 'vda']);
    }
  });

  test('a fired signal stops every call', async () => {
    const { disk } = open(flatDisk(wholeChain(1)));
    const signal = AbortSignal.abort();
    for (const work of [
      disk.pits({ signal }),
      disk.changes({ from: pit(1), signal }),
      disk.allocated({ signal }),
    ])
      expect((await refusalOf(work)).code).toBe('ERR_CBT_ABORTED');
  });

  test('an error that is not ours is passed on as it is', async () => {
    const { source } = open(flatDisk([]));
    const bug = new TypeError('bug');
    source.state = () => Promise.reject(bug);
    await expect(new TrackedDisk(source, tinyKernel).pits()).rejects.toBe(bug);
  });

  test('the history of a disk is told without reading a bit', async () => {
    const { disk, source } = open(flatDisk(wholeChain(2)));
    expect((await disk.topLayer()).epoch).toBe(EPOCH);
    expect(source.asked).toEqual([]);
  });

  test('names and kernel', async () => {
    const { disk } = open(flatDisk([]));
    expect([disk.disk, disk.kernelPath, await disk.topLayer()]).toEqual([
      'vda',
      'script',
      { format: 'qcow2', sizeBytes: 1_048_576, past: null, problem: null, epoch: null },
    ]);
  });
});
