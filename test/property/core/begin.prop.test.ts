/**
 * Lives of a disk under backup, with vandals: sessions begin, bitmaps vanish, QEMU crashes, recording is paused, snapshots
 * come and go, the disk is resized. Wherever a session says `incremental`, the map covers every block that differs from the
 * base; wherever it says `full`, it gives a reason and the next session is whole again.
 */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BeginOutcome, planBegin } from '../../../lib/core/beginPlan.js';
import { planForget, planRollback } from '../../../lib/core/chainPlan.js';
import { planChanges } from '../../../lib/core/changeQuery.js';
import { CbtError } from '../../../lib/core/errors.js';
import { parsePoint } from '../../../lib/core/point.js';
import { ModelDisk } from '../../helpers/modelDisk.js';

type Step =
  | { do: 'write'; block: number }
  | { do: 'begin'; base: number | null }
  | { do: 'rollback' }
  | { do: 'forget'; which: number }
  | { do: 'vanish'; which: number }
  | { do: 'crash' }
  | { do: 'pause' }
  | { do: 'overlay'; copies: boolean }
  | { do: 'revert' }
  | { do: 'commit' }
  | { do: 'resize'; blocks: number };

const is = <const T extends string>(what: T) => fc.constant(what);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: is('write'), block: fc.nat(11) }) },
  { weight: 8, arbitrary: fc.record({ do: is('begin'), base: fc.option(fc.nat(9)) }) },
  { weight: 2, arbitrary: fc.record({ do: is('rollback') }) },
  { weight: 2, arbitrary: fc.record({ do: is('forget'), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: is('vanish'), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: is('crash') }) },
  { weight: 1, arbitrary: fc.record({ do: is('pause') }) },
  { weight: 1, arbitrary: fc.record({ do: is('overlay'), copies: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: is('revert') }) },
  { weight: 1, arbitrary: fc.record({ do: is('commit') }) },
  { weight: 2, arbitrary: fc.record({ do: is('resize'), blocks: fc.integer({ min: 1, max: 12 }) }) },
);

class Life {
  readonly disk = new ModelDisk(8);
  readonly taken: { pit: string; changeId: string; contents: number[] }[] = [];
  incrementals = 0;
  /** Bitmaps that alone tell of a shrink: without them QEMU keeps no trace of it, which is a known limit. */
  readonly #witnesses = new Set<string>();

  begin(base: number | null): BeginOutcome {
    const chosen = base === null ? undefined : this.taken[base % Math.max(this.taken.length, 1)];
    const pit = randomUUID();
    const state = this.disk.state();
    const from =
      chosen === undefined ? undefined : parsePoint('base', base! % 2 === 0 ? chosen.pit : chosen.changeId);
    const { plan, outcome } = planBegin(state, { pit, base: from, drawUuid: randomUUID });
    const contents = this.disk.contents();
    if (outcome.verdict === 'incremental') {
      this.incrementals += 1;
      const before = this.taken.find((t) => t.pit === outcome.base)!;
      if (chosen !== undefined) expect(outcome.base).toBe(chosen.pit);
      const changed = this.disk.answer(planChanges(state, { kind: 'pit', pit: before.pit }, null));
      const missed = contents.findIndex(
        (content, block) => content !== (before.contents[block] ?? 0) && !changed.has(block),
      );
      if (missed >= 0) throw new Error(`block ${missed} changed since ${before.pit}, unseen`);
    } else {
      expect(outcome).toMatchObject({
        verdict: 'full',
        reason: expect.any(String),
        message: expect.any(String),
      });
    }
    this.disk.apply(plan.actions);
    this.taken.push({ pit, changeId: outcome.changeId!, contents });
    // Whatever the state was, after a session it is whole: the next one is incremental from here.
    expect(planBegin(this.disk.state(), { pit: randomUUID(), drawUuid: randomUUID }).outcome).toMatchObject({
      verdict: 'incremental',
      base: pit,
    });
    return outcome;
  }

  step(s: Step): void {
    const { top, layers } = this.disk;
    switch (s.do) {
      case 'write':
        this.disk.write(s.block);
        break;
      case 'begin':
        this.begin(s.base);
        break;
      case 'rollback':
        this.#attempt(() => planRollback(this.disk.state(), this.taken.at(-1)?.pit ?? ''));
        break;
      case 'forget': {
        const target = this.taken[s.which % Math.max(this.taken.length, 1)];
        this.#attempt(() => planForget(this.disk.state(), target?.pit ?? ''));
        break;
      }
      case 'vanish': {
        const gone = top.bitmaps[s.which % Math.max(top.bitmaps.length, 1)];
        if (gone !== undefined && !this.#witnesses.has(gone.name))
          top.bitmaps.splice(top.bitmaps.indexOf(gone), 1);
        break;
      }
      case 'crash':
        // What was recorded since the file was last closed is lost; here, all of it.
        for (const bitmap of top.bitmaps) {
          bitmap.inconsistent = true;
          bitmap.blocks.clear();
        }
        break;
      case 'pause':
        for (const bitmap of top.bitmaps) bitmap.recording = false;
        break;
      case 'overlay':
        this.disk.overlay();
        // As another manager does with bitmaps: of the same name, recording, from here on.
        if (s.copies) this.disk.top.bitmaps = top.bitmaps.map((b) => ({ ...b, blocks: new Set<number>() }));
        break;
      case 'revert':
        if (layers.length > 1) layers.shift();
        break;
      case 'commit':
        this.disk.commit();
        break;
      case 'resize':
        if (layers.length === 1) this.#resize(s.blocks);
        break;
    }
  }

  /** A shrink that no point in time saw leaves no trace in QEMU, which is a known limit: so here every shrink is seen. */
  #resize(blocks: number): void {
    const { top } = this.disk;
    const shrinks = blocks < top.blocks;
    this.disk.resize(blocks);
    if (!shrinks) return;
    this.begin(null);
    for (const bitmap of top.bitmaps) if (bitmap.recording) this.#witnesses.add(bitmap.name);
  }

  #attempt(plan: () => { actions: Parameters<ModelDisk['apply']>[0] }): void {
    try {
      this.disk.apply(plan().actions);
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
    }
  }
}

test('an incremental never misses a block, and every session leaves the disk whole', () => {
  let incrementals = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 15, maxLength: 60 }), (steps) => {
      const life = new Life();
      for (const s of steps) life.step(s);
      incrementals += life.incrementals;
    }),
    { numRuns: 250 },
  );
  expect(incrementals).toBeGreaterThan(500);
});
