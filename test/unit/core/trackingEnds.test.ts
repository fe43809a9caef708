/** Rolling a point in time back, and forgetting one, on several disks at one instant. */
import { describe, expect, test } from 'vitest';
import { parsePoint } from '../../../lib/core/point.js';
import type { Instant } from '../../../lib/core/pointInTime.js';
import { forget, rollback } from '../../../lib/core/tracking.js';
import { epoch, FakeVm, kinds, unreadable } from '../../helpers/fakeTarget.js';
import { changeIdOf, EPOCH, flatDisk, pit, segment, wholeChain } from '../../helpers/states.js';

describe('roll back', () => {
  test('every disk that has the point as its newest; the others say why not', async () => {
    const vm = new FakeVm({
      vda: flatDisk(wholeChain(3)),
      vdb: flatDisk(wholeChain(2)),
      vdc: flatDisk([segment(1, { pit: pit(3), recording: true })]),
      vdx: unreadable,
    });
    const outcome = await rollback(vm, { pit: pit(3) });
    expect(outcome.pit).toBe(pit(3));
    expect(outcome.disks.map((d) => [d.disk, d.error?.code ?? d.changeId ?? null])).toEqual([
      ['vda', changeIdOf(2)],
      ['vdb', 'ERR_CBT_UNKNOWN_PIT'],
      ['vdc', null],
      ['vdx', 'ERR_CBT_UNSUPPORTED'],
    ]);
    expect(vm.transactions.map((t) => t.map((c) => [c.disk, ...kinds(c)]))).toEqual([
      [
        ['vda', 'add', 'merge', 'remove', 'remove'],
        ['vdc', 'remove'],
      ],
    ]);
  });

  test('nothing done is a null point and no transaction', async () => {
    const vm = new FakeVm({ vda: flatDisk(wholeChain(2)) });
    const outcome = await rollback(vm, { pit: pit(1) });
    expect(outcome.pit).toBeNull();
    expect(outcome.disks[0]?.error?.message).toContain('not the newest');
    expect(vm.transactions).toEqual([]);
  });
});

describe('forget', () => {
  test('a point that two epochs have is forgotten in the disk’s own history, or not at all', async () => {
    const vm = new FakeVm({
      vda: flatDisk([segment(1, { epoch: epoch(1), pit: pit(2) }), ...wholeChain(3)]),
    });
    // Two epochs on one layer are a loss: nothing may be changed there.
    const outcome = await forget(vm, {
      point: { kind: 'instant', epoch: epoch(1), sequence: 1, pit: pit(2) },
    });
    expect(outcome.disks[0]?.error?.reason).toBe('UNKNOWN_PIT');
    expect(vm.transactions).toEqual([]);
  });

  test.each<[string, string | Instant]>([
    ['by UUID', pit(2)],
    ['by changeId', changeIdOf(2)],
    ['as an instant', { epoch: EPOCH, sequence: 2, pit: pit(2) }],
    ['by bitmap name', segment(2).name],
  ])('%s', async (_, text) => {
    const vm = new FakeVm({ vda: flatDisk(wholeChain(3)) });
    const outcome = await forget(vm, { point: parsePoint('point', text) });
    expect(outcome).toEqual({
      pit: pit(2),
      disks: [{ disk: 'vda', epoch: EPOCH, changeId: changeIdOf(3) }],
    });
    expect(vm.transactions.map((t) => t.map(kinds))).toEqual([[['add', 'merge', 'remove', 'remove']]]);
  });

  test.each<[string, string | Instant, string]>([
    ['a bitmap of others', 'theirs', 'ERR_CBT_UNKNOWN_PIT'],
    ['a changeId of another PIT', changeIdOf(2, { uuid: pit(9) }), 'ERR_CBT_UNKNOWN_PIT'],
    ['an instant of another epoch', { epoch: epoch(1), sequence: 2, pit: pit(2) }, 'ERR_CBT_UNKNOWN_PIT'],
    ['an instant of another number', { epoch: EPOCH, sequence: 1, pit: pit(2) }, 'ERR_CBT_UNKNOWN_PIT'],
    ['an instant of another PIT', { epoch: EPOCH, sequence: 2, pit: pit(1) }, 'ERR_CBT_UNKNOWN_PIT'],
    ['a changeId of another epoch', changeIdOf(1, { epoch: epoch(1) }), 'ERR_CBT_UNKNOWN_PIT'],
    ['*', '*', 'ERR_CBT_INVALID_ARGUMENT'],
    ['the only one', pit(5), 'ERR_CBT_INVALID_ARGUMENT'],
  ])('refused: %s', async (what, text, code) => {
    const only = what === 'the only one';
    const vm = new FakeVm({
      vda: flatDisk(only ? [segment(1, { pit: pit(5), recording: true })] : wholeChain(3)),
    });
    const outcome = await forget(vm, { point: parsePoint('point', text) });
    expect([outcome.pit, outcome.disks[0]?.error?.code]).toEqual([null, code]);
    expect(vm.transactions).toEqual([]);
  });
});
