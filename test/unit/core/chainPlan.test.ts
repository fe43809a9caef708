/** Plans are exact lists of actions: what is added before anything ends, and removed after all else. */
import { describe, expect, test } from 'vitest';
import { readCatalogue } from '../../../lib/core/chain.js';
import {
  type BitmapAction,
  type PitPlan,
  planDisable,
  planEnable,
  planForget,
  planPit,
  planReset,
  planRollback,
  requireWhole,
} from '../../../lib/core/chainPlan.js';
import type { DiskState } from '../../../lib/core/diskSource.js';
import type { CbtErrorCode, CbtReason } from '../../../lib/core/errors.js';
import { MAX_SEQUENCE } from '../../../lib/core/segmentName.js';
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

const add = (
  name: string,
  options: { granularityBytes?: number | null; disabled?: boolean } = {},
): BitmapAction => ({
  kind: 'add',
  name,
  granularityBytes: KIB64,
  disabled: false,
  ...options,
});
const remove = (name: string): BitmapAction => ({ kind: 'remove', name });
const recording = (
  sequence: number,
  name: string,
  uuid = pit(sequence),
  epoch = EPOCH,
): PitPlan['recording'] => ({
  epoch,
  sequence,
  pit: uuid,
  name,
});

describe('start tracking', () => {
  const first = `cbt1.${NEW_EPOCH}.1.${SIZE}.${pit(1)}`;

  test('adds segment 1 of a new epoch, at the granularity asked for or QEMU own', () => {
    expect(planEnable(flatDisk([]), pit(1), NEW_EPOCH)).toEqual({
      actions: [add(first, { granularityBytes: null })],
      recording: recording(1, first, pit(1), NEW_EPOCH),
    });
    expect(planEnable(flatDisk([]), pit(1), NEW_EPOCH, 4096).actions).toEqual([
      add(first, { granularityBytes: 4096 }),
    ]);
  });

  test('leaves bitmaps of others, and those of a later version, alone', () => {
    const state = flatDisk([bitmap('libvirt'), bitmap(pit(9), { recording: true }), bitmap('cbt2.x')]);
    expect(planEnable(state, pit(1), NEW_EPOCH).actions).toEqual([add(first, { granularityBytes: null })]);
    expect(planReset(state, pit(1), NEW_EPOCH).actions).toEqual([add(first, { granularityBytes: null })]);
  });

  test('is refused on a disk that is tracked, wherever and in whatever state its segments are', () => {
    const tracked = [
      flatDisk(wholeChain(2)),
      flatDisk([segment(1, { inconsistent: true })]),
      diskOf(layer([]), layer(wholeChain(1))),
    ];
    for (const state of tracked) {
      const error = refusal(() => planEnable(state, pit(1), NEW_EPOCH));
      expect(error).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT', disk: 'vda' });
      expect(error.message).toContain(EPOCH);
      expect(error.message).toContain('reset');
    }
  });
});

describe('reset and end', () => {
  test('a reset adds first and removes every segment of ours on the top layer, of any epoch and state', () => {
    const old = [
      segment(1, { inconsistent: true }),
      segment(3),
      segment(1, { epoch: OLD_EPOCH, recording: true }),
    ] as const;
    const plan = planReset(flatDisk([...old, bitmap('theirs')]), pit(5), NEW_EPOCH, 512);
    const name = `cbt1.${NEW_EPOCH}.1.${SIZE}.${pit(5)}`;
    expect(plan.recording).toEqual(recording(1, name, pit(5), NEW_EPOCH));
    expect(plan.actions[0]).toEqual(add(name, { granularityBytes: 512 }));
    expect(plan.actions.slice(1).map((a) => a.kind)).toEqual(['remove', 'remove', 'remove']);
    expect(new Set(plan.actions.slice(1).map((a) => ('name' in a ? a.name : '')))).toEqual(
      new Set(old.map((s) => s.name)),
    );
  });

  test('a reset below an overlay starts on the top layer and leaves the lower ones alone', () => {
    const plan = planReset(diskOf(layer([]), layer(wholeChain(2))), pit(5), NEW_EPOCH);
    expect(plan.actions.map((a) => a.kind)).toEqual(['add']);
  });

  test('the end removes every segment of ours and nothing else', () => {
    const plan = planDisable(flatDisk([...wholeChain(2), bitmap('theirs'), bitmap('cbt1.damaged')]));
    expect(plan).toEqual({ actions: [remove(segment(1).name), remove(segment(2).name)], recording: null });
    expect(planDisable(flatDisk([])).actions).toEqual([]);
  });

  test('the end is refused where segments would stay below an overlay', () => {
    const error = refusal(() => planDisable(diskOf(layer([]), layer(wholeChain(2)))));
    expect(error).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED', reason: 'OVERLAY', disk: 'vda' });
    expect(error.message).toContain('commit the overlay');
  });
});

describe('take a point in time', () => {
  test('the new segment is added before the old one is disabled', () => {
    const state = flatDisk(wholeChain(2), { sizeBytes: 2 * SIZE });
    const name = `cbt1.${EPOCH}.3.${2 * SIZE}.${pit(3)}`;
    expect(planPit(state, pit(3))).toEqual({
      actions: [add(name), { kind: 'disable', name: segment(2).name }],
      recording: recording(3, name),
    });
  });

  test('it keeps the granularity of the newest segment', () => {
    const state = flatDisk([segment(1), segment(2, { recording: true, granularityBytes: 4096 })]);
    expect(planPit(state, pit(3)).actions[0]).toMatchObject({ granularityBytes: 4096 });
  });

  test('it counts on from the last tile of a merged segment', () => {
    expect(planPit(flatDisk([segment(2, { last: 7, recording: true })]), pit(8)).recording?.sequence).toBe(8);
  });

  test('a UUID serves once', () => {
    const error = refusal(() => planPit(flatDisk(wholeChain(3)), pit(2)));
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(error.message).toContain(pit(2));
    expect(error.message).toContain('segment 2');
  });

  test('when no sequence number is left, the epoch is over', () => {
    const last = segment(1, { last: MAX_SEQUENCE, recording: true });
    const error = refusal(() => planPit(flatDisk([last]), pit(2)));
    expect(error.recovery).toBe('full');
    expect(error.message).toContain(`${MAX_SEQUENCE}`);
  });
});

describe('forget and roll back', () => {
  const three = flatDisk(wholeChain(3));

  test('the oldest is just removed', () => {
    expect(planForget(three, pit(1))).toEqual({
      actions: [remove(segment(1).name)],
      recording: recording(3, segment(3).name),
    });
  });

  test('one in between joins the one before it, frozen; removes come last', () => {
    const merged = `cbt1.${EPOCH}.1-2.${SIZE}.${pit(1)}`;
    expect(planForget(three, pit(2))).toEqual({
      actions: [
        add(merged, { disabled: true }),
        { kind: 'merge', target: merged, sources: [segment(1).name, segment(2).name] },
        remove(segment(1).name),
        remove(segment(2).name),
      ],
      recording: recording(3, segment(3).name),
    });
  });

  test('the newest joins the one before it, which records on before anything is merged', () => {
    const merged = `cbt1.${EPOCH}.2-3.${SIZE}.${pit(2)}`;
    const plan = {
      actions: [
        add(merged, { disabled: false }),
        { kind: 'merge', target: merged, sources: [segment(2).name, segment(3).name] },
        remove(segment(2).name),
        remove(segment(3).name),
      ],
      recording: recording(2, merged),
    };
    expect(planForget(three, pit(3))).toEqual(plan);
    expect(planRollback(three, pit(3))).toEqual(plan);
  });

  test('merged tiles merge on, under the earlier point and its size', () => {
    const state = flatDisk([
      segment(1, { last: 3, sizeBytes: SIZE / 2 }),
      segment(4, { last: 5 }),
      segment(6, { recording: true }),
    ]);
    expect(planForget(state, pit(4)).actions[0]).toMatchObject({
      name: `cbt1.${EPOCH}.1-5.${SIZE / 2}.${pit(1)}`,
    });
  });

  test('of two granularities the coarser one takes both', () => {
    const state = flatDisk([
      segment(1, { granularityBytes: 4096 }),
      segment(2, { granularityBytes: 1 << 20 }),
      segment(3, { granularityBytes: 512, recording: true }),
    ]);
    expect(planForget(state, pit(2)).actions[0]).toMatchObject({ granularityBytes: 1 << 20 });
    expect(planForget(state, pit(3)).actions[0]).toMatchObject({ granularityBytes: 1 << 20 });
  });

  test('a rolled-back sequence number is not given twice', () => {
    const rolledBack = flatDisk([segment(1, { last: 2, recording: true })]);
    expect(planPit(rolledBack, pit(3)).recording?.sequence).toBe(3);
  });

  test('to roll back the first point ends tracking', () => {
    expect(planRollback(flatDisk(wholeChain(1)), pit(1))).toEqual({
      actions: [remove(segment(1).name)],
      recording: null,
    });
  });

  test('the only point is not forgotten', () => {
    const error = refusal(() => planForget(flatDisk(wholeChain(1)), pit(1)));
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(error.message).toContain('reset or disable');
  });

  test.each([
    ['forget', planForget, pit(9)],
    ['roll back', planRollback, pit(9)],
    ['roll back one that is not the newest', planRollback, pit(2)],
  ] as const)('%s: unknown', (_, plan, uuid) => {
    const error = refusal(() => plan(three, uuid));
    expect(error).toMatchObject({ code: 'ERR_CBT_UNKNOWN_PIT', reason: 'UNKNOWN_PIT', disk: 'vda' });
    expect(error.message).toContain(uuid);
  });

  /** Sizes in blocks of the segments; which one goes; whether its size is the only witness of a shrink. */
  test.each<[number[], number, boolean]>([
    [[16, 8, 16], 2, true],
    [[16, 8, 12], 2, true],
    [[16, 8, 8], 2, false],
    [[16, 12, 8], 2, false],
    [[8, 16, 8], 2, false],
    [[8, 8, 16], 2, false],
    [[16, 8], 2, true],
    [[8, 16], 2, false],
    [[16, 16], 2, false],
    [[16, 8, 16], 1, false],
    [[16, 16, 8, 16], 2, false],
    [[16, 16, 8, 16], 3, true],
  ])('sizes %j: forgetting number %i hides a shrink: %s', (blocks, which, hides) => {
    const bitmaps = blocks.map((b, i) =>
      segment(i + 1, { sizeBytes: b * KIB64, recording: i + 1 === blocks.length }),
    );
    const state = flatDisk(bitmaps, { sizeBytes: blocks.at(-1)! * KIB64 });
    if (!hides) {
      expect(planForget(state, pit(which)).actions.length).toBeGreaterThan(0);
      return;
    }
    const error = refusal(() => planForget(state, pit(which)));
    expect(error).toMatchObject({ code: 'ERR_CBT_TRACKING_LOST', reason: 'SIZE' });
    expect(error.message).toContain(`segment ${which}`);
  });
});

describe('what keeps a chain from being changed', () => {
  const held = { recording: true, busy: true };
  test.each<[string, DiskState, CbtErrorCode, CbtReason, string]>([
    ['not tracked', flatDisk([]), 'ERR_CBT_TRACKING_LOST', 'NOT_RECORDING', 'not tracked'],
    [
      'only others',
      flatDisk([bitmap(pit(1), { recording: true })]),
      'ERR_CBT_TRACKING_LOST',
      'NOT_RECORDING',
      'not tracked',
    ],
    [
      'crashed',
      flatDisk([segment(1, { inconsistent: true })]),
      'ERR_CBT_TRACKING_LOST',
      'CRASHED',
      'inconsistent',
    ],
    [
      'a gap',
      flatDisk([segment(1), segment(3, { recording: true })]),
      'ERR_CBT_TRACKING_LOST',
      'MISSING',
      'sequence 2..2',
    ],
    ['paused', flatDisk([segment(1), segment(2)]), 'ERR_CBT_TRACKING_LOST', 'NOT_RECORDING', 'segment 2'],
    [
      'left over from another epoch',
      flatDisk([...wholeChain(1), segment(1, { epoch: OLD_EPOCH })]),
      'ERR_CBT_TRACKING_LOST',
      'OTHER_EPOCH',
      OLD_EPOCH,
    ],
    [
      'two epochs that record',
      flatDisk([...wholeChain(1), segment(1, { epoch: OLD_EPOCH, recording: true })]),
      'ERR_CBT_TRACKING_LOST',
      'OTHER_EPOCH',
      OLD_EPOCH,
    ],
    [
      'below an overlay',
      diskOf(layer([]), layer(wholeChain(2))),
      'ERR_CBT_TRACKING_LOST',
      'OVERLAY',
      'below',
    ],
    [
      'an epoch on two layers',
      diskOf(layer([segment(3, { recording: true })]), layer(wholeChain(2))),
      'ERR_CBT_TRACKING_LOST',
      'OVERLAY',
      'two layers',
    ],
    [
      'a layer that cannot be read',
      flatDisk(wholeChain(1), { problem: { reason: 'FORMAT', message: 'bit 7 is unknown' } }),
      'ERR_CBT_TRACKING_LOST',
      'FORMAT',
      'bit 7',
    ],
    ['held by an export', flatDisk([segment(1, held)]), 'ERR_CBT_BACKEND_UNAVAILABLE', 'BUSY', 'segment 1'],
  ])('%s', (_, state, code, reason, text) => {
    const error = refusal(() => planPit(state, pit(7)));
    expect({ code: error.code, reason: error.reason, disk: error.disk }).toEqual({
      code,
      reason,
      disk: 'vda',
    });
    expect(error.message).toContain(text);
    expect(error.message.includes('full backup')).toBe(reason !== 'BUSY');
  });

  test('what is held stops only what would touch it: QEMU fails the transaction of all disks for one busy bitmap', () => {
    const state = flatDisk([
      segment(1, { busy: true }),
      segment(2),
      segment(3),
      segment(4, { recording: true }),
    ]);
    expect(planPit(state, pit(5)).actions).toHaveLength(2);
    expect(planForget(state, pit(3)).actions).toHaveLength(4);
    for (const plan of [
      () => planForget(state, pit(1)),
      () => planForget(state, pit(2)),
      () => planDisable(state),
      () => planReset(state, pit(9), NEW_EPOCH),
    ]) {
      expect(refusal(plan)).toMatchObject({
        code: 'ERR_CBT_BACKEND_UNAVAILABLE',
        reason: 'BUSY',
        disk: 'vda',
      });
    }
  });

  test('a chain as it should be is handed out in order', () => {
    const chain = requireWhole(flatDisk([...wholeChain(3)].reverse()));
    expect(chain.segments.map((s) => s.first)).toEqual([1, 2, 3]);
  });

  test.each([2 ** 53, Number.NaN])('a disk of %s bytes is never given a name', (sizeBytes) => {
    for (const plan of [
      () => planEnable(flatDisk([], { sizeBytes }), pit(1), NEW_EPOCH),
      () => planPit(flatDisk(wholeChain(1), { sizeBytes }), pit(2)),
    ])
      expect(refusal(plan).code).toBe('ERR_CBT_UNSUPPORTED');
  });
});

test('a merge left half-way is recognised by the names alone, at every step', () => {
  const merged = segment(1, { last: 2 });
  const halves = [
    [segment(1), segment(2), merged, segment(3, { recording: true })],
    [segment(2), merged, segment(3, { recording: true })],
  ];
  for (const bitmaps of halves) {
    const state = flatDisk(bitmaps);
    expect(readCatalogue(state).chains).toHaveLength(1);
    expect(refusal(() => planPit(state, pit(9)))).toMatchObject({ reason: 'MISSING' });
  }
  expect(planPit(flatDisk([merged, segment(3, { recording: true })]), pit(9)).recording?.sequence).toBe(4);
});
