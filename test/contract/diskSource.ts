/**
 * The promises of `DiskSource` that the core stands on. A maker builds one disk, shows it through the port, and gets the
 * same questions as every other; `diskSource.test.ts` has a line for each.
 *
 *   64 KiB grains     0    3  4   21            64           80            128 (512 bytes: the disk's end)
 *   top      FINE     ■    ■  ■                                             ■
 *            COARSE   (128 KiB)   ■■
 *            data     ■    ■  ■   ■             zeros                       ■
 *   base     data                                            ■
 */
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { BitmapRef, DiskSource } from '../../lib/core/diskSource.js';
import { checkRanges, type RangePager } from '../../lib/core/rangePage.js';
import { extentsOf } from '../helpers/imageQuestions.js';
import { coalesce, type Extent } from '../helpers/qemuTools.js';
import { refusalOf } from '../helpers/refusal.js';

export const KIB64 = 65_536;
export const SIZE = 128 * KIB64 + 512;
/** Names that every format can store: UUIDs. */
export const FINE = '0f111111-0000-4000-8000-000000000001';
export const COARSE = 'c0222222-0000-4000-8000-000000000002';
/** What the top layer holds, and is dirty where the two bitmaps say so; in grains. */
export const FINE_GRAINS = [0, 3, 4, 128];
export const COARSE_GRAINS = [21];
export const ZERO_GRAIN = 64;
export const BASE_GRAIN = 80;

/** The disk above, made once for all tests. */
export interface SourceSubject extends AsyncDisposable {
  /** Opens it anew. */
  open(): Promise<DiskSource>;
  /** Has another bitmap on the top layer from now on. */
  addBitmap(name: string): Promise<void>;
  /** Whether the top layer tells explicit zeros from data and from nothing. */
  zeros: boolean;
  /** What the sources have left behind, where they could. */
  leftovers?(): Promise<readonly string[]>;
}

const fine: BitmapRef = { layer: 0, name: FINE };
const coarse: BitmapRef = { layer: 0, name: COARSE };
const ALL = { startBytes: 0, endBytes: SIZE, maxRanges: Number.POSITIVE_INFINITY };

/** Grains as ranges, cut at the disk's end; neighbours become one. */
export function grains(...numbers: readonly number[]): Extent[] {
  const ascending = [...numbers].sort((a, b) => a - b).map((number) => number * KIB64);
  return coalesce(ascending.map((at) => [at, Math.min(KIB64, SIZE - at)]));
}

const whole = (pager: RangePager): Promise<Extent[]> => extentsOf(pager, SIZE);

export function diskSourceContract(maker: string, make: () => Promise<SourceSubject>): void {
  describe(`a disk source, ${maker}`, () => {
    let subject: SourceSubject;
    beforeAll(async () => {
      subject = await make();
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());

    const open = async (): Promise<DiskSource> => {
      const source = await subject.open();
      onTestFinished(() => source.close());
      return source;
    };
    /** Every way to ask. */
    const questions = (source: DiskSource, signal?: AbortSignal): (() => Promise<unknown>)[] => [
      () => source.state(signal),
      () => source.bitmapRanges([fine], 512, signal),
      () => source.bitmapRanges([], 512, signal),
      () => source.allocatedRanges(undefined, signal),
      () => source.allocatedRanges(1, signal),
      ...(source.onOneReading === undefined
        ? []
        : [() => source.onOneReading?.(async (read) => read([fine], 512), signal) ?? Promise.resolve()]),
    ];

    test('tells the layers, top first, with their bitmaps', async () => {
      const source = await open();
      const state = await source.state();
      expect(state).toMatchObject({ disk: source.disk, sizeBytes: SIZE });
      expect(state.layers).toHaveLength(2);
      const [top, base] = state.layers;
      expect([top?.sizeBytes, base?.sizeBytes]).toEqual([SIZE, SIZE]);
      const named = (name: string) => top?.bitmaps.find((bitmap) => bitmap.name === name);
      const usable = { inconsistent: false, busy: false };
      expect(named(FINE)).toMatchObject({ granularityBytes: KIB64, ...usable });
      expect(named(COARSE)).toMatchObject({ granularityBytes: 2 * KIB64, ...usable });
      for (const { problem } of [...state.layers, ...(top?.bitmaps ?? [])]) expect(problem).toBeUndefined();
      expect(base?.bitmaps).toEqual([]);
    });

    test('reads the state afresh at each call', async () => {
      const source = await open();
      const names = async () => (await source.state()).layers[0]?.bitmaps.map(({ name }) => name);
      const before = await names();
      const added = 'ad333333-0000-4000-8000-000000000003';
      expect(before).not.toContain(added);
      await subject.addBitmap(added);
      expect(new Set(await names())).toEqual(new Set([...(before ?? []), added]));
      // And the questions are about that state.
      expect(await whole(await source.bitmapRanges([{ layer: 0, name: added }], 512))).toEqual([]);
      expect(await whole(await source.bitmapRanges([fine], 512))).toEqual(grains(...FINE_GRAINS));
    });

    test('bits in complete pages, ascending, ended by the disk', async () => {
      const source = await open();
      // In one page and in small ones, which say the same.
      expect(await whole(await source.bitmapRanges([fine], 512))).toEqual(grains(...FINE_GRAINS));
      const pager = await source.bitmapRanges([fine], 512);
      const first = await pager.page({ ...ALL, maxRanges: 1 });
      expect(Array.from(first.ranges)).toEqual([0, KIB64]);
      // Complete up to the next range, and not a byte further.
      expect(first.nextBytes).toBe(3 * KIB64);
      const inside = await pager.page({ ...ALL, startBytes: 3 * KIB64 + 512, endBytes: 5 * KIB64 - 512 });
      expect(Array.from(inside.ranges)).toEqual([3 * KIB64 + 512, 2 * KIB64 - 1024]);
      const last = await pager.page({ ...ALL, startBytes: 6 * KIB64 });
      checkRanges('ranges', last.ranges);
      expect(Array.from(last.ranges)).toEqual([128 * KIB64, 512]);
      const none = await pager.page({ ...ALL, startBytes: SIZE });
      expect([none.ranges.length, none.nextBytes]).toEqual([0, SIZE]);
    });

    test('bits are as coarse as the bitmap and as the question, always wider', async () => {
      const source = await open();
      const MIB = 2 ** 20;
      expect(await whole(await source.bitmapRanges([coarse], 512))).toEqual([[20 * KIB64, 2 * KIB64]]);
      expect(await whole(await source.bitmapRanges([fine], MIB))).toEqual([
        [0, MIB],
        [8 * MIB, 512],
      ]);
      const both = await whole(await source.bitmapRanges([fine, coarse], 512));
      // At the finest as each bitmap says, at the coarsest all by the coarsest: nothing is lost in between.
      const least = grains(...FINE_GRAINS, 20, 21);
      const most = grains(0, 1, 2, 3, 4, 5, 20, 21, 128);
      for (const range of least) expect(both.some(covers(range)), `${range} in ${both}`).toBe(true);
      for (const range of both) expect(most.some(covers(range)), `${range} in ${most}`).toBe(true);
      expect(await whole(await source.bitmapRanges([fine, coarse], MIB))).toEqual([
        [0, 2 * MIB],
        [8 * MIB, 512],
      ]);
      expect(await whole(await source.bitmapRanges([], 512))).toEqual([]);
    });

    test('what is not there is refused, never empty', async () => {
      const source = await open();
      const missing = { layer: 0, name: 'ffffffff-0000-4000-8000-00000000000f' };
      for (const bitmaps of [[missing], [fine, missing]]) {
        const error = await refusalOf(source.bitmapRanges(bitmaps, 512));
        expect(error.code).toMatch(/^ERR_CBT_(UNKNOWN_PIT|TRACKING_LOST)$/);
        expect(error.recovery).toBe('full');
      }
      // It is on the top only.
      expect((await refusalOf(source.bitmapRanges([{ layer: 1, name: FINE }], 512))).recovery).toBe('full');
      expect((await refusalOf(source.bitmapRanges([{ layer: 2, name: FINE }], 512))).code).toMatch(
        // Of a running disk the layers may have become fewer since.
        /^ERR_CBT_(INVALID_ARGUMENT|BACKEND_UNAVAILABLE)$/,
      );
      for (const granularity of [0, 256, 1000, 2 ** 32])
        expect((await refusalOf(source.bitmapRanges([fine], granularity))).code).toBe(
          'ERR_CBT_INVALID_ARGUMENT',
        );
      expect((await refusalOf(source.allocatedRanges(3))).code).toBe('ERR_CBT_INVALID_ARGUMENT');
      expect((await refusalOf(source.allocatedRanges(-1))).code).toBe('ERR_CBT_INVALID_ARGUMENT');
    });

    test('what holds data as seen from the top, and what the upper layers hold themselves', async () => {
      const source = await open();
      const zeros = subject.zeros ? [ZERO_GRAIN] : [];
      const own = [...FINE_GRAINS, ...COARSE_GRAINS];
      expect(await whole(await source.allocatedRanges())).toEqual(grains(...own, BASE_GRAIN));
      expect(await whole(await source.allocatedRanges(0))).toEqual([]);
      expect(await whole(await source.allocatedRanges(1))).toEqual(grains(...own, ...zeros));
      expect(await whole(await source.allocatedRanges(2))).toEqual(grains(...own, ...zeros, BASE_GRAIN));
    });

    test('many questions on one reading, where it has a way for that', async () => {
      const source = await open();
      if (source.onOneReading === undefined) return;
      const found = await source.onOneReading(async (read) => [
        await whole(await read([fine], 512)),
        await whole(await read([coarse], 512)),
      ]);
      expect(found).toEqual([grains(...FINE_GRAINS), grains(20, 21)]);
    });

    test('two questions at once get their own answers', async () => {
      const source = await open();
      const [a, b, c, state] = await Promise.all([
        source.bitmapRanges([fine], 512).then(whole),
        source.bitmapRanges([coarse], 512).then(whole),
        source.allocatedRanges(1).then(whole),
        source.state(),
      ]);
      expect(a).toEqual(grains(...FINE_GRAINS));
      expect(b).toEqual(grains(20, 21));
      expect(c).toEqual(grains(...FINE_GRAINS, ...COARSE_GRAINS, ...(subject.zeros ? [ZERO_GRAIN] : [])));
      expect(state.sizeBytes).toBe(SIZE);
      // One pager for two readers, each from where it is.
      const pager = await source.bitmapRanges([fine], 512);
      const [head, tail] = await Promise.all([
        pager.page({ ...ALL, endBytes: KIB64 }),
        pager.page({ ...ALL, startBytes: 6 * KIB64 }),
      ]);
      expect([Array.from(head.ranges), Array.from(tail.ranges)]).toEqual([
        [0, KIB64],
        [128 * KIB64, 512],
      ]);
    });

    test('an aborted question is ERR_CBT_ABORTED, and the next one is answered', async () => {
      const source = await open();
      const pager = await source.bitmapRanges([fine], 512);
      const aborted = AbortSignal.abort();
      for (const ask of [...questions(source, aborted), () => pager.page({ ...ALL, signal: aborted })])
        expect((await refusalOf(ask)).code).toBe('ERR_CBT_ABORTED');
      // While it is under way: it may have been done already.
      for (let number = 0; number < questions(source).length; number += 1) {
        const abort = new AbortController();
        const asked = settled(questions(source, abort.signal)[number]?.() ?? Promise.reject());
        abort.abort();
        expect(await asked).toMatch(/^(answered|ERR_CBT_ABORTED)$/);
      }
      expect(await whole(pager)).toEqual(grains(...FINE_GRAINS));
      expect(await whole(await source.bitmapRanges([fine], 512))).toEqual(grains(...FINE_GRAINS));
    });

    test('closed is ERR_CBT_CLOSED, for it and for every pager', async () => {
      const source = await subject.open();
      const pagers = [await source.bitmapRanges([fine], 512), await source.allocatedRanges()];
      await pagers[0]?.page({ ...ALL, maxRanges: 1 });
      await Promise.all([source.close(), source.close()]);
      await source.close();
      for (const ask of [...questions(source), ...pagers.map((pager) => () => pager.page(ALL))])
        expect((await refusalOf(ask)).code).toBe('ERR_CBT_CLOSED');
      expect((await subject.leftovers?.()) ?? []).toEqual([]);
    });

    // However far it has got when the disk is closed.
    test.each([0, 1, 4, 16, 64])(
      'close waits for what is under way since %i turns, which ends as closed at the latest',
      async (turns) => {
        for (let number = 0; number < 6; number += 1) {
          const source = await subject.open();
          const pager = await source.bitmapRanges([fine], 512);
          const ask = questions(source)[number];
          const running = [...(ask === undefined ? [] : [ask]), () => pager.page(ALL)].map((work) =>
            settled(work()),
          );
          const ended: string[] = [];
          for (const one of running) one.then((how) => ended.push(how));
          for (let turn = 0; turn < turns; turn += 1) await setImmediate();
          await source.close();
          // For those who wait, to be told.
          await setImmediate();
          expect(ended).toHaveLength(running.length);
          for (const how of ended) expect(how).toMatch(/^(answered|ERR_CBT_CLOSED)$/);
          expect((await subject.leftovers?.()) ?? []).toEqual([]);
        }
      },
    );
  });
}

const covers =
  ([offset, length]: Extent) =>
  ([from, bytes]: Extent): boolean =>
    from <= offset && offset + length <= from + bytes;

/** How it ended. */
async function settled(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'answered',
    (error: { code?: string }) => error.code ?? String(error),
  );
}
