/** A chain that goes on above an overlay, and what a commit of that overlay leaves: where it is one, where it is not, what is done to it. */
import { describe, expect, test } from 'vitest';
import { currentChain, findChainProblem, readCatalogue } from '../../../lib/core/chain.js';
import { planDisable, planForget, planPit, planReset, planRollback } from '../../../lib/core/chainPlan.js';
import type { BitmapInfo, DiskState, LayerState } from '../../../lib/core/diskSource.js';
import { plan } from '../../helpers/planned.js';
import { refusal } from '../../helpers/refusal.js';
import {
  diskOf,
  EPOCH,
  flatDisk,
  layer,
  NEW_EPOCH,
  OLD_EPOCH,
  pit,
  SIZE,
  segment,
} from '../../helpers/states.js';

const on = (first: number): BitmapInfo => segment(first, { recording: true });
const stack = (...layers: readonly (readonly BitmapInfo[])[]): DiskState =>
  diskOf(...layers.map((bitmaps, index) => layer(bitmaps, { label: `layer${index}` })));
const read = (state: DiskState, from: number, to?: number): string[] =>
  plan(state, pit(from), to === undefined ? undefined : pit(to)).bitmaps.map(
    ({ layer: index, name }) => `${index}:${name.split('.')[2]}`,
  );
const problem = (state: DiskState): string | undefined => {
  const catalogue = readCatalogue(state);
  return findChainProblem(state, catalogue, currentChain(catalogue)!)?.reason;
};
const remove = ({ name }: BitmapInfo) => ({ kind: 'remove', name });
const disable = ({ name }: BitmapInfo) => ({ kind: 'disable', name });
const addsThird = { kind: 'add', name: segment(3).name, granularityBytes: 65_536, disabled: false };

describe('an overlay on which the newest segment goes on', () => {
  const snapshot = stack([on(2)], [segment(1), on(2)]);

  test('is answered from both layers, without what the overlay holds', () => {
    expect(problem(snapshot)).toBeUndefined();
    expect(plan(snapshot, pit(1)).overlayLayers).toBe(0);
    expect(read(snapshot, 1)).toEqual(['1:1', '0:2', '1:2']);
    expect(read(snapshot, 2)).toEqual(['0:2', '1:2']);
    expect(read(snapshot, 1, 2)).toEqual(['1:1']);
  });

  test('below one that has no bitmaps, both, and what that holds', () => {
    const covered = stack([], [on(2)], [segment(1), on(2)]);
    expect(problem(covered)).toBe('OVERLAY');
    expect(read(covered, 2)).toEqual(['1:2', '2:2']);
    expect(plan(covered, pit(2)).overlayLayers).toBe(1);
  });

  test('ends whole on the top, where the next one begins', () => {
    expect(planPit(snapshot, pit(3))).toMatchObject({
      actions: [
        addsThird,
        { kind: 'merge', target: on(2).name, sources: [], below: [{ layer: 1, name: on(2).name }] },
        disable(on(2)),
      ],
      recording: { epoch: EPOCH, sequence: 3 },
    });
    const begun = stack([segment(2), on(3)], [segment(1), on(2)]);
    expect(problem(begun)).toBeUndefined();
    expect(read(begun, 1)).toEqual(['1:1', '0:2', '1:2', '0:3']);
    // Once is enough.
    expect(planPit(begun, pit(4)).actions.map(({ kind }) => kind)).toEqual(['add', 'disable']);
  });

  test('over several overlays', () => {
    const three = stack([on(3)], [segment(2), on(3)], [segment(1), on(2)]);
    expect(read(three, 1)).toEqual(['2:1', '1:2', '2:2', '0:3', '1:3']);
    expect(problem(three)).toBeUndefined();
  });

  test('nothing below it is changed: reset takes the top, disable and forget are refused', () => {
    const begun = stack([segment(2), on(3)], [segment(1), on(2)]);
    expect(planReset(begun, pit(9), NEW_EPOCH).actions.slice(1)).toEqual([remove(segment(2)), remove(on(3))]);
    for (const wanted of [
      () => planDisable(begun),
      () => planForget(begun, pit(1)),
      () => planForget(begun, pit(2)),
    ])
      expect(refusal(wanted)).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED', reason: 'OVERLAY' });
  });

  test('the newest is rolled back where the one before is on the top; else tracking ends there', () => {
    const longer = segment(2, { last: 3, recording: true });
    const rolledBack = stack([longer], [segment(1), on(2)]);
    expect(planRollback(stack([segment(2), on(3)], [segment(1), on(2)]), pit(3)).recording?.name).toBe(
      longer.name,
    );
    expect(read(rolledBack, 1)).toEqual(['1:1', '0:2-3', '1:2']);
    // Both still record above a commit that left both: the name that they get above is whole, also when the image goes.
    const both = stack([on(2), on(3)], [segment(1), on(2), on(3)]);
    expect(planRollback(both, pit(3)).actions[1]).toEqual({
      kind: 'merge',
      target: longer.name,
      sources: [on(2).name, on(3).name],
      below: [on(2), on(3)].map(({ name }) => ({ layer: 1, name })),
    });
    const ended = planRollback(snapshot, pit(2));
    expect(ended).toMatchObject({ actions: [remove(on(2))], recording: null, lost: { reason: 'OVERLAY' } });
  });
});

test.each<[string, readonly BitmapInfo[], readonly BitmapInfo[], Partial<LayerState>?]>([
  ['it does not record below: both went on by themselves', [on(2)], [segment(1), segment(2)]],
  ['what follows below is not above', [on(2)], [on(2), on(3)]],
  ['it is inconsistent below', [on(2)], [segment(1), segment(2, { recording: true, inconsistent: true })]],
  [
    'it cannot be read below',
    [on(2)],
    [segment(2, { recording: true, problem: { reason: 'FORMAT', message: 'x' } })],
  ],
  ['another point of its number', [on(2)], [segment(1), segment(2, { recording: true, pit: pit(7) })]],
  ['a gap between the layers', [on(3)], [segment(1), on(2)]],
  ['the next one, without the one that went on', [on(2)], [on(1)]],
  ['the layers have two sizes', [on(2)], [segment(1), on(2)], { sizeBytes: 2 * SIZE }],
])('segments on two layers are no chain where %s', (_, above, below, base) => {
  const state = diskOf(layer(above), layer(below, base));
  expect(problem(state)).toBe('OVERLAY');
  expect(refusal(() => plan(state, above[0]!.name))).toMatchObject({ recovery: 'full' });
});

test('segments with a layer between them are no chain', () => {
  expect(problem(stack([on(2)], [], [segment(1), on(2)]))).toBe('OVERLAY');
});

describe('an image to which an overlay was committed', () => {
  test('has two that record: both answer, and the next point ends both', () => {
    const state = flatDisk([segment(1), on(2), on(3)]);
    expect(problem(state)).toBeUndefined();
    expect(read(state, 1)).toEqual(['0:1', '0:2', '0:3']);
    expect(plan(state, pit(2), pit(3))).toMatchObject({
      bitmaps: [{ name: on(2).name }],
      warnings: [expect.stringContaining('segment 2')],
    });
    expect(planPit(state, pit(4)).actions.slice(1)).toEqual([disable(on(2)), disable(on(3))]);
  });

  test('lacks what had ended on the overlay: the older one stands for that', () => {
    const state = flatDisk([segment(1), on(2), on(4)]);
    expect(problem(state)).toBeUndefined();
    expect(read(state, 1)).toEqual(['0:1', '0:2', '0:4']);
    const longer = segment(2, { last: 3 }).name;
    expect(planPit(state, pit(5)).actions.slice(1)).toEqual([
      { kind: 'add', name: longer, granularityBytes: 65_536, disabled: true },
      { kind: 'merge', target: longer, sources: [on(2).name] },
      disable(on(4)),
      remove(on(2)),
    ]);
    expect(problem(flatDisk([segment(1), segment(2), on(4)]))).toBe('MISSING');
  });

  test('has one twice that was rolled back on the overlay: they are one', () => {
    const longer = segment(2, { last: 3, recording: true });
    const state = flatDisk([segment(1), on(2), longer]);
    expect(read(state, 2)).toEqual(['0:2-3', '0:2']);
    expect(planPit(state, pit(4)).actions.slice(1)).toEqual([
      { kind: 'merge', target: longer.name, sources: [on(2).name] },
      disable(longer),
      remove(on(2)),
    ]);
    expect(problem(flatDisk([segment(1), segment(2), longer]))).toBe('MISSING');
  });

  test('two histories that record stay two', () => {
    expect(problem(flatDisk([on(1), segment(1, { epoch: OLD_EPOCH, recording: true })]))).toBe('OTHER_EPOCH');
  });
});

describe('a segment below which lies a layer that cannot be read', () => {
  const missing = { reason: 'MISSING', message: 'gone' } as const;
  const over = (above: readonly BitmapInfo[], base: Partial<LayerState> = {}): DiskState =>
    diskOf(layer(above, { label: 'top' }), layer([], { format: 'unknown', problem: missing, ...base }));

  test.each<[string, readonly BitmapInfo[]]>([
    ['is the only one', [on(2)]],
    ['is number 1 of its epoch: libvirt copies that too', [on(1)]],
    ['records beside a later one', [on(2), on(3)]],
    ['took a later one in by a rollback', [segment(2, { last: 3, recording: true })]],
  ])('is refused with what that layer says, where it %s', (_, above) => {
    const state = over(above);
    for (const { name } of above)
      expect(refusal(() => plan(state, name))).toMatchObject({
        code: 'ERR_CBT_TRACKING_LOST',
        reason: 'MISSING',
        message: expect.stringMatching(/^segment .* may have begun on .*: gone/),
      });
    expect(problem(state)).toBe('MISSING');
    expect(refusal(() => planPit(state, pit(9)))).toMatchObject({ reason: 'MISSING' });
    // Also below a layer that took no bitmaps, and where a lower layer goes on.
    expect(problem(diskOf(layer([]), ...state.layers))).toBe('MISSING');
    expect(problem(diskOf(layer([above.at(-1)!]), ...state.layers))).toBe('MISSING');
  });

  test('is whole where a point in time ended it, and so is what began then', () => {
    const state = over([segment(2), on(3)]);
    expect(problem(state)).toBeUndefined();
    expect(read(state, 2)).toEqual(['0:2', '0:3']);
    expect(read(state, 3)).toEqual(['0:3']);
  });

  test.each<[string, Partial<LayerState>]>([
    ['is raw', { format: 'raw' }],
    ['is qcow2 of version 2', { format: 'qcow2', problem: { reason: 'FORMAT', message: 'version 2' } }],
  ])('began above it where that layer %s', (_, base) => {
    const state = over([on(1)], base);
    expect(problem(state)).toBeUndefined();
    expect(read(state, 1)).toEqual(['0:1']);
  });
});

test('a rollback of the only point of an overlay says that it stays below', () => {
  const ended = planRollback(stack([on(2)], [on(2)]), pit(2));
  expect(ended).toMatchObject({ actions: [remove(on(2))], recording: null, lost: { reason: 'OVERLAY' } });
  expect(planRollback(flatDisk([on(2)]), pit(2))).not.toHaveProperty('lost');
});
