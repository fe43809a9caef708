/**
 * The promises of `TrackingTarget` that points in time stand on: what is told of a disk is how it is now, and a change of several disks
 * happens in the order given, on all of them at once, or not at all.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BitmapAction } from '../../lib/core/chainPlan.js';
import type { BitmapInfo, DiskState } from '../../lib/core/diskSource.js';
import { CbtError } from '../../lib/core/errors.js';
import type { TrackingTarget } from '../../lib/core/trackingTarget.js';
import { refusalOf } from '../helpers/refusal.js';

export const KIB64 = 65_536;
export const SIZE = 16 * KIB64;
/** Both are asked for, in this order; the other one is not. */
export const ASKED = ['b', 'a'];
export const OTHER = 'c';
/** On the image below `a`, which says that grain 3 changed. */
export const BELOW = 'below';
export const BELOW_GRAIN = 3;

export interface TargetSubject extends AsyncDisposable {
  /** A fresh one, of {@link ASKED} unless given. */
  target(names?: readonly string[]): TrackingTarget;
  /** As {@link TrackingTarget.disks} calls the disk of this name. */
  called(name: string): string;
  /** As a guest writes: one grain. */
  write(disk: string, grain: number): Promise<void>;
  /** A name of what is no disk to be tracked, where there can be such. */
  untrackable?: string;
}

const add = (name: string, more: { granularityBytes?: number; disabled?: boolean } = {}): BitmapAction => ({
  kind: 'add',
  name,
  granularityBytes: null,
  disabled: false,
  ...more,
});
const merge = (target: string, ...sources: string[]): BitmapAction => ({ kind: 'merge', target, sources });
const disable = (name: string): BitmapAction => ({ kind: 'disable', name });
const remove = (name: string): BitmapAction => ({ kind: 'remove', name });

export function trackingTargetContract(maker: string, make: () => Promise<TargetSubject>): void {
  describe(`a place for points in time, ${maker}`, () => {
    let subject: TargetSubject;
    let target: TrackingTarget;
    beforeAll(async () => {
      subject = await make();
    });
    beforeEach(() => {
      target = subject.target();
    });
    afterEach(async () => {
      target = subject.target([...ASKED, OTHER]);
      const changes = (await states()).map(({ disk, layers }) => ({
        disk,
        actions: (layers[0]?.bitmaps ?? []).map(({ name }) => remove(name)),
      }));
      await target.apply(changes);
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());

    const states = async (): Promise<DiskState[]> =>
      (await target.disks()).map((one) => {
        if ('error' in one) throw one.error;
        expect(one.state.disk).toBe(one.disk);
        return one.state;
      });
    /** The bitmaps of every disk that was asked for, in that order. */
    const bitmaps = async (): Promise<(readonly BitmapInfo[])[]> =>
      (await states()).map(({ layers }) => layers[0]?.bitmaps ?? []);
    const names = async (): Promise<string[][]> =>
      (await bitmaps()).map((of) => of.map(({ name }) => name).sort());
    const change = (...changes: [disk: string, ...actions: BitmapAction[]][]): Promise<void> =>
      target.apply(changes.map(([disk, ...actions]) => ({ disk: subject.called(disk), actions })));

    test('tells the disks that were asked for, in that order, as they are now', async () => {
      expect(await states()).toMatchObject(
        ASKED.map((name) => ({ disk: subject.called(name), sizeBytes: SIZE, live: true })),
      );
      expect(await names()).toEqual([[], []]);
      await change(['a', add('x', { granularityBytes: 4096 }), add('y', { disabled: true })]);
      await subject.write('a', 1);
      const [b, a] = await bitmaps();
      expect(b).toEqual([]);
      const whole = { inconsistent: false, persistent: true, busy: false };
      expect([...(a ?? [])].sort((x, y) => (x.name < y.name ? -1 : 1))).toMatchObject([
        { name: 'x', granularityBytes: 4096, recording: true, dirtyBytes: KIB64, ...whole },
        { name: 'y', granularityBytes: KIB64, recording: false, dirtyBytes: 0, ...whole },
      ]);
    });

    test('tells others of the same QEMU apart from them', async () => {
      await states();
      expect(target.others?.().map(({ disk }) => disk)).toEqual([OTHER]);
      target = subject.target([OTHER]);
      await states();
      expect(
        target
          .others?.()
          .map(({ disk }) => disk)
          .sort(),
      ).toEqual([...ASKED].sort());
    });

    test('a name that nothing has is refused with those that there are, and one that cannot be tracked comes with its error', async () => {
      const unknown = await refusalOf(async () => subject.target(['a', 'nobody']).disks());
      expect(unknown).toMatchObject({
        code: 'ERR_CBT_INVALID_ARGUMENT',
        message: expect.stringMatching(/nobody.*\b[abc]\b/),
      });
      const { untrackable } = subject;
      if (untrackable === undefined) return;
      target = subject.target(['a', untrackable]);
      const [a, error] = await target.disks();
      expect(a).toMatchObject({ disk: subject.called('a'), state: { sizeBytes: SIZE } });
      expect(error).toMatchObject({
        disk: subject.called(untrackable),
        error: { code: 'ERR_CBT_UNSUPPORTED', disk: subject.called(untrackable) },
      });
      // It does not keep the other one off.
      await change(['a', add('x')]);
      expect(await refusalOf(change([untrackable, add('x')]))).toBeInstanceOf(CbtError);
    });

    test('carries out a list in its order: what records goes on, what it recorded goes along', async () => {
      await states();
      await change(['a', add('old')], ['b', add('old')]);
      await subject.write('a', 1);
      await change(['a', add('new'), disable('old')], ['b', add('new'), disable('old')]);
      await subject.write('a', 5);
      await subject.write('b', 6);
      const found = async (): Promise<unknown[]> =>
        (await bitmaps()).map((of) =>
          Object.fromEntries(of.map((one) => [one.name, [one.recording, one.dirtyBytes]])),
        );
      expect(await found()).toEqual([
        { old: [false, 0], new: [true, KIB64] },
        { old: [false, KIB64], new: [true, KIB64] },
      ]);
      // As a point in time is forgotten: nothing of it is lost.
      await change([
        'a',
        add('both', { disabled: true }),
        merge('both', 'old', 'new'),
        remove('old'),
        remove('new'),
      ]);
      expect(await found()).toEqual([{ old: [false, 0], new: [true, KIB64] }, { both: [false, 2 * KIB64] }]);
    });

    test('merges what the images below recorded', async () => {
      expect((await states())[1]?.layers[1]?.bitmaps).toMatchObject([{ name: BELOW }]);
      await change([
        'a',
        add('all', { disabled: true }),
        { kind: 'merge', target: 'all', sources: [], below: [{ layer: 1, name: BELOW }] },
      ]);
      expect(await bitmaps()).toMatchObject([[], [{ name: 'all', dirtyBytes: KIB64 }]]);
    });

    test.each<[string, ...BitmapAction[]]>([
      ['one that is there', add('kept')],
      ['one that is not there', remove('nobody')],
      ['one to disable that is not there', disable('nobody')],
      ['a source that is not there', add('x'), merge('x', 'nobody')],
      ['a target that is not there', merge('nobody', 'kept')],
      ['no source', merge('kept')],
      ['a name that the same change makes free', remove('kept'), add('kept')],
      [
        'a bitmap below that is not there',
        { kind: 'merge', target: 'kept', sources: [], below: [{ layer: 1, name: 'nobody' }] },
      ],
      [
        'a layer that is not there',
        { kind: 'merge', target: 'kept', sources: [], below: [{ layer: 7, name: BELOW }] },
      ],
      ['a granularity that is none', add('x', { granularityBytes: 1000 })],
      ['a granularity too fine', add('x', { granularityBytes: 256 })],
      ['a name too long', add('x'.repeat(1024))],
    ])('all or nothing: %s', async (_, ...wrong) => {
      await states();
      await change(['a', add('kept')], ['b', add('kept')]);
      await subject.write('a', 2);
      const before = await bitmaps();
      for (const disk of ['a', 'b'])
        for (const changes of [
          [
            ['a', add('new'), disable('kept')],
            [disk, ...wrong],
            ['b', add('new'), disable('kept')],
          ],
          [[disk, ...wrong, remove('kept')]],
        ] as [string, ...BitmapAction[]][][]) {
          const error = await refusalOf(change(...changes));
          expect(error, error.message).toBeInstanceOf(CbtError);
          expect(await bitmaps()).toEqual(before);
        }
      // And the next one works.
      await change(['a', remove('kept')], ['b', remove('kept')]);
      expect(await names()).toEqual([[], []]);
    });

    test('called off before it begins it does nothing', async () => {
      await states();
      const signal = AbortSignal.abort();
      const aborted = { code: 'ERR_CBT_ABORTED' };
      expect(await refusalOf(target.disks(signal))).toMatchObject(aborted);
      const changes = [{ disk: subject.called('a'), actions: [add('x')] }];
      expect(await refusalOf(target.apply(changes, signal))).toMatchObject(aborted);
      expect(await names()).toEqual([[], []]);
    });

    test('nothing to do is done, and a disk that was not asked for is not touched', async () => {
      await states();
      await target.apply([]);
      await change(['a']);
      expect(await refusalOf(change(['a', add('x')], [OTHER, add('x')]))).toBeInstanceOf(CbtError);
      expect(await names()).toEqual([[], []]);
    });
  });
}
