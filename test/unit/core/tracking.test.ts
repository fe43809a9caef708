/** Several disks at one instant: verdicts per disk, one transaction, and what happens when one of them refuses. */
import { describe, expect, test } from 'vitest';
import type { DiskState } from '../../../lib/core/diskSource.js';
import { CbtError } from '../../../lib/core/errors.js';
import { parsePoint } from '../../../lib/core/point.js';
import { begin, disable, enable, reset, rollback } from '../../../lib/core/tracking.js';
import type { TrackingTarget } from '../../../lib/core/trackingTarget.js';
import { epoch, FakeVm, kinds, unreadable } from '../../helpers/fakeTarget.js';
import { refusalOf } from '../../helpers/refusal.js';
import {
  bitmap,
  changeIdOf,
  diskOf,
  EPOCH,
  flatDisk,
  KIB64,
  layer,
  pit,
  SIZE,
  segment,
  wholeChain,
} from '../../helpers/states.js';

/** Epochs in the order drawn. */
function drawer(): () => string {
  let n = 0;
  return () => {
    n += 1;
    return epoch(n);
  };
}

describe('enable, reset, disable', () => {
  test('every disk in one transaction, each in an epoch of its own, at one point in time', async () => {
    const vm = new FakeVm({ vda: flatDisk([]), vdb: flatDisk([], { sizeBytes: 2 * SIZE }) });
    const outcome = await enable(vm, { pit: pit(1), drawUuid: drawer(), granularityBytes: 4096 });
    expect(outcome).toEqual({
      pit: pit(1),
      disks: [
        { disk: 'vda', epoch: epoch(1), changeId: changeIdOf(1, { epoch: epoch(1) }) },
        { disk: 'vdb', epoch: epoch(2), changeId: changeIdOf(1, { epoch: epoch(2) }) },
      ],
    });
    expect(vm.transactions).toHaveLength(1);
    expect(vm.transactions[0]?.map((c) => [c.disk, ...kinds(c)])).toEqual([
      ['vda', 'add'],
      ['vdb', 'add'],
    ]);
  });

  test('one disk that refuses stops all, and every disk says so', async () => {
    const vm = new FakeVm({ vda: flatDisk([]), vdb: flatDisk(wholeChain(1)), vdx: unreadable });
    const outcome = await enable(vm, { pit: pit(8), drawUuid: drawer() });
    expect(vm.transactions).toEqual([]);
    expect(outcome.pit).toBeNull();
    expect(outcome.disks.map((d) => [d.disk, d.error?.code])).toEqual([
      ['vda', 'ERR_CBT_NOT_DONE'],
      ['vdb', 'ERR_CBT_INVALID_ARGUMENT'],
      ['vdx', 'ERR_CBT_UNSUPPORTED'],
    ]);
    expect(outcome.disks[0]?.error?.message).toContain('vdb, vdx refused');
  });

  test('a UUID is taken in any spelling, and nothing else is', async () => {
    const vm = new FakeVm({ vda: flatDisk([]) });
    const outcome = await enable(vm, { pit: `{${pit(10).toUpperCase()}}`, drawUuid: drawer() });
    expect(outcome.pit).toBe(pit(10));
    for (const bad of ['', 'today', '00000000-0000-0000-0000-000000000000']) {
      const options = { pit: bad, drawUuid: drawer() };
      for (const work of [
        enable(vm, options),
        reset(vm, options),
        begin(vm, options),
        rollback(vm, options),
      ]) {
        expect(await refusalOf(work)).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
      }
    }
  });

  test('a granularity that QEMU would refuse is refused before anything is asked', async () => {
    const vm = new FakeVm({ vda: flatDisk([]) });
    for (const granularityBytes of [0, 511, 1000, 2 ** 32, Number.NaN]) {
      const options = { pit: pit(1), drawUuid: drawer(), granularityBytes };
      for (const work of [enable(vm, options), reset(vm, options)]) {
        const error = await refusalOf(work);
        expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
        expect(error.message).toContain('granularityBytes');
      }
    }
    expect(vm.transactions).toEqual([]);
  });

  test('reset starts anew whatever the state', async () => {
    const vm = new FakeVm({
      vda: flatDisk([segment(1, { inconsistent: true }), segment(5)]),
      vdb: flatDisk([]),
    });
    const outcome = await reset(vm, { pit: pit(9), drawUuid: drawer() });
    expect(outcome.disks.map((d) => d.epoch)).toEqual([epoch(1), epoch(2)]);
    expect(vm.transactions[0]?.map(kinds)).toEqual([['add', 'remove', 'remove'], ['add']]);
  });

  test('a PIT that names an instant already is never given to another one', async () => {
    const has: Record<string, DiskState> = {
      'in the chain': flatDisk(wholeChain(3)),
      'in the middle of a lost chain': flatDisk([segment(2), segment(5, { recording: true })]),
      'in another epoch': flatDisk([segment(2, { epoch: epoch(7) }), segment(1, { recording: true })]),
      'below an overlay': diskOf(
        layer([segment(1, { epoch: epoch(8), recording: true })]),
        layer(wholeChain(2)),
      ),
      'as a bitmap of others': flatDisk([bitmap(`{${pit(2).toUpperCase()}}`, { recording: true })]),
    };
    for (const [where, state] of Object.entries(has)) {
      const options = { pit: pit(2), drawUuid: drawer() };
      for (const [what, work] of Object.entries({ enable, reset, begin })) {
        const fresh = flatDisk([]);
        const asked = new FakeVm({ fresh, vda: state });
        const beside = new FakeVm({ fresh });
        beside.others = () => [{ ...state, disk: 'vda' }];
        for (const vm of [new FakeVm({ vda: state }), asked, beside]) {
          const error = await refusalOf(work(vm, options));
          expect(error, `${what}, ${where}`).toMatchObject({
            code: 'ERR_CBT_INVALID_ARGUMENT',
            disk: 'vda',
            message: expect.stringContaining(pit(2)),
          });
          expect(vm.transactions).toEqual([]);
        }
      }
    }
  });

  test('disable with nothing to remove asks QEMU for nothing', async () => {
    const vm = new FakeVm({ vda: flatDisk([]) });
    expect(await disable(vm)).toEqual({ pit: null, disks: [{ disk: 'vda' }] });
    expect(vm.transactions).toEqual([]);
    const mixed = new FakeVm({ vda: flatDisk([]), vdb: flatDisk(wholeChain(1)) });
    await disable(mixed);
    expect(mixed.transactions.map((t) => t.map((c) => c.disk))).toEqual([['vdb']]);
  });

  test('no disk, no transaction', async () => {
    const vm = new FakeVm({});
    expect(await disable(vm)).toEqual({ pit: null, disks: [] });
    expect(vm.transactions).toEqual([]);
  });

  test('a transaction that fails is the error of the whole call', async () => {
    const failure = new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'socket closed');
    const vm = new FakeVm({ vda: flatDisk([]) }, failure);
    expect(await refusalOf(enable(vm, { pit: pit(1), drawUuid: drawer() }))).toBe(failure);
  });
});

describe('begin', () => {
  test('an incremental from the newest point unless told, or from the base', async () => {
    const vm = new FakeVm({ vda: flatDisk(wholeChain(3)) });
    const changeId = changeIdOf(4);
    expect((await begin(vm, { pit: pit(4), drawUuid: drawer() })).disks).toEqual([
      { disk: 'vda', sizeBytes: SIZE, epoch: EPOCH, changeId, verdict: 'incremental', base: pit(3) },
    ]);
    const base = parsePoint('base', changeIdOf(1));
    const begun = await begin(vm, { pit: pit(4), base, drawUuid: drawer() });
    expect(begun.disks[0]).toMatchObject({ verdict: 'incremental', base: pit(1) });
    expect(vm.transactions.map((t) => t.map(kinds))).toEqual([[['add', 'disable']], [['add', 'disable']]]);
  });

  test('* asks for a full backup, with no reason, and the chain goes on', async () => {
    const vm = new FakeVm({ vda: flatDisk(wholeChain(1)) });
    const begun = await begin(vm, { pit: pit(2), base: { kind: 'allocated' }, drawUuid: drawer() });
    expect(begun.disks[0]).toMatchObject({ verdict: 'full', epoch: EPOCH });
    expect(begun.disks[0]?.reason).toBeUndefined();
  });

  test('one bad disk spoils nothing: lost chains heal into a new epoch, each with its reason', async () => {
    const disks: Record<string, (own: { epoch: string }) => DiskState | CbtError> = {
      good: (own) => flatDisk([segment(1, { ...own, recording: true })]),
      crashed: (own) => flatDisk([segment(1, { ...own, inconsistent: true })]),
      gap: (own) => flatDisk([segment(1, own), segment(3, { ...own, recording: true })]),
      paused: (own) => flatDisk([segment(1, own)]),
      fresh: () => flatDisk([]),
      overlaid: (own) => diskOf(layer([]), layer([segment(1, { ...own, recording: true })])),
      twin: (own) =>
        diskOf(
          layer([segment(2, { ...own, recording: true })]),
          layer([segment(1, { ...own, recording: true })]),
        ),
      leftover: (own) =>
        flatDisk([segment(1, { ...own, recording: true }), segment(4, { epoch: epoch(99) })]),
      other: (own) => flatDisk([segment(1, { ...own, pit: pit(50), recording: true })]),
      unreadable: () => unreadable,
      busy: (own) => flatDisk([segment(1, { ...own, recording: true, busy: true })]),
      busyAndLost: (own) => flatDisk([segment(1, { ...own, busy: true })]),
      huge: () => flatDisk([], { sizeBytes: 2 ** 54 }),
    };
    const ownEpoch = (n: number): string => epoch(200 + n);
    const vm = new FakeVm(
      Object.fromEntries(Object.entries(disks).map(([disk, of], n) => [disk, of({ epoch: ownEpoch(n) })])),
    );
    const begun = await begin(vm, { pit: pit(7), base: parsePoint('base', pit(1)), drawUuid: drawer() });
    const seen = Object.fromEntries(
      begun.disks.map((d) => [d.disk, d.error === undefined ? (d.reason ?? d.verdict) : d.error.code]),
    );
    expect(seen).toEqual({
      good: 'incremental',
      crashed: 'CRASHED',
      gap: 'MISSING',
      paused: 'NOT_RECORDING',
      fresh: 'NOT_RECORDING',
      overlaid: 'OVERLAY',
      twin: 'OVERLAY',
      leftover: 'OTHER_EPOCH',
      other: 'UNKNOWN_PIT',
      unreadable: 'ERR_CBT_UNSUPPORTED',
      busy: 'ERR_CBT_BACKEND_UNAVAILABLE',
      busyAndLost: 'ERR_CBT_BACKEND_UNAVAILABLE',
      huge: 'ERR_CBT_UNSUPPORTED',
    });
    expect(Object.fromEntries((vm.transactions[0] ?? []).map((c) => [c.disk, kinds(c).join()]))).toEqual({
      good: 'add,disable',
      crashed: 'add,remove',
      gap: 'add,remove,remove',
      paused: 'add,remove',
      fresh: 'add',
      overlaid: 'add',
      twin: 'add,remove',
      leftover: 'add,remove,remove',
      other: 'add,disable',
    });
    begun.disks.forEach((disk, n) => {
      if (disk.error !== undefined) return;
      const goesOn = disk.verdict === 'incremental' || disk.reason === 'UNKNOWN_PIT';
      expect(disk.epoch === ownEpoch(n), disk.disk).toBe(goesOn);
      if (disk.verdict === 'full') expect(disk.message).toContain('full backup');
    });
  });

  test('copies of one disk that meet in one step get a history each, and a full backup', async () => {
    const vm = new FakeVm({
      vda: flatDisk(wholeChain(3)),
      copy: flatDisk(wholeChain(2)),
      crashedCopy: flatDisk([segment(1, { inconsistent: true })]),
      other: flatDisk([segment(1, { epoch: epoch(50), recording: true })]),
      // They stand on one image that neither writes: that is no copy, and their own history tells them apart.
      overBase: diskOf(layer([segment(1, { epoch: epoch(60), recording: true })]), layer(wholeChain(1))),
    });
    for (const base of [undefined, parsePoint('base', pit(1)), parsePoint('base', changeIdOf(2))]) {
      const begun = await begin(vm, { pit: pit(9), base, drawUuid: drawer() });
      const [vda, copy, crashed, other, over] = begun.disks;
      for (const disk of [vda, copy, crashed])
        expect(disk).toMatchObject({
          verdict: 'full',
          reason: 'OTHER_EPOCH',
          message: expect.stringContaining(EPOCH),
        });
      expect(new Set([vda, copy, crashed].map((disk) => disk!.epoch)).size).toBe(3);
      expect([vda, copy, crashed].map((disk) => disk!.epoch)).not.toContain(EPOCH);
      expect(vda!.message).toContain('copy, crashedCopy');
      expect(other!.epoch).toBe(epoch(50));
      expect(over!.epoch).toBe(epoch(60));
      if (base === undefined) expect([other!.verdict, over!.verdict]).toEqual(['incremental', 'incremental']);
    }
    expect(vm.transactions[0]?.map((c) => [c.disk, ...kinds(c)])).toEqual([
      ['vda', 'add', 'remove', 'remove', 'remove'],
      ['copy', 'add', 'remove', 'remove'],
      ['crashedCopy', 'add', 'remove'],
      ['other', 'add', 'disable'],
      ['overBase', 'add', 'disable'],
    ]);
  });

  test('a base that met a shrink is a full backup; the chain itself goes on', async () => {
    const sizes = [16, 8, 16].map((b, i) => segment(i + 1, { sizeBytes: b * KIB64, recording: i === 2 }));
    const vm = new FakeVm({ vda: flatDisk(sizes) });
    const begun = await begin(vm, { pit: pit(7), base: parsePoint('base', pit(1)), drawUuid: drawer() });
    expect(begun.disks[0]).toMatchObject({ verdict: 'full', reason: 'SIZE', epoch: EPOCH });
    const newest = await begin(vm, { pit: pit(7), drawUuid: drawer() });
    expect(newest.disks[0]).toMatchObject({ verdict: 'incremental', base: pit(3) });
  });

  test('after a twin was healed, the next session is incremental', async () => {
    const twin = diskOf(layer([segment(2, { recording: true })]), layer(wholeChain(1)));
    const vm = new FakeVm({ vda: twin });
    const begun = await begin(vm, { pit: pit(7), drawUuid: drawer() });
    const name = vm.transactions[0]?.[0]?.actions[0];
    expect(name?.kind).toBe('add');
    const healed = diskOf(
      layer([segment(1, { epoch: begun.disks[0]!.epoch!, pit: pit(7), recording: true })]),
      layer(wholeChain(1)),
    );
    const next = await begin(new FakeVm({ vda: healed }), { pit: pit(8), drawUuid: drawer() });
    expect(next.disks[0]).toMatchObject({ verdict: 'incremental', base: pit(7) });
  });

  test('the disk is called what the target calls it', async () => {
    const target: TrackingTarget = {
      disks: async () => [{ disk: 'device vda', state: flatDisk([]) }],
      apply: async () => undefined,
    };
    expect((await begin(target, { pit: pit(1), drawUuid: drawer() })).disks[0]?.disk).toBe('device vda');
  });

  test('when no disk can be begun, QEMU is asked for nothing', async () => {
    const vm = new FakeVm({ vdx: unreadable });
    expect((await begin(vm, { pit: pit(1), drawUuid: drawer() })).disks).toEqual([
      { disk: 'vdx', verdict: 'failed', error: unreadable },
    ]);
    expect(vm.transactions).toEqual([]);
  });
});
