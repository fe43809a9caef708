/** Random lives of a disk that libvirt puts overlays on and takes them off again: no answer may miss a block, and no backup starts from too late. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planBegin } from '../../../lib/core/beginPlan.js';
import { newest, readCatalogue } from '../../../lib/core/chain.js';
import { planForget, planRollback } from '../../../lib/core/chainPlan.js';
import { planChanges } from '../../../lib/core/changeQuery.js';
import { CbtError } from '../../../lib/core/errors.js';
import { parsePoint } from '../../../lib/core/point.js';
import { runs } from '../../helpers/effort.js';
import { commit, copy, pull, revert, settle, snapshot } from '../../helpers/libvirtModel.js';
import { ModelDisk } from '../../helpers/modelDisk.js';

type Step = { do: string; at: number; more: number };

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.oneof(
    { weight: 8, arbitrary: fc.constant('write') },
    { weight: 5, arbitrary: fc.constant('begin') },
    { weight: 3, arbitrary: fc.constant('snapshot') },
    { weight: 3, arbitrary: fc.constantFrom('commit', 'pull') },
    { weight: 2, arbitrary: fc.constant('settle') },
    {
      weight: 1,
      arbitrary: fc.constantFrom('copy', 'revert', 'forget', 'rollback', 'failed', 'grow', 'crash'),
    },
  ),
  at: fc.nat(15),
  more: fc.nat(15),
});

interface Taken {
  pit: string;
  contents: number[];
}

/** What became of the questions of one life. */
interface Told {
  answered: number;
  /** Backups that a snapshot, or the end of one, did not make full. */
  incremental: number;
  full: number;
}

class Life {
  readonly disk = new ModelDisk(8);
  readonly taken: Taken[] = [];
  readonly told: Told = { answered: 0, incremental: 0, full: 0 };

  /** Rolled back or forgotten points answer too, or say that they are gone. */
  begin(): void {
    const pit = randomUUID();
    const begun = this.#planBegin(pit);
    if (begun === null) return;
    const { plan, outcome } = begun;
    const before = this.disk.state();
    const base = this.taken.find((one) => one.pit === outcome.base);
    if (outcome.verdict === 'incremental') {
      expect(base).toBeDefined();
      expect(planChanges(before, parsePoint('from', outcome.base!), null).from).toBe(outcome.base);
    }
    this.told[outcome.verdict === 'incremental' ? 'incremental' : 'full'] += 1;
    this.disk.apply(plan.actions);
    this.taken.push({ pit, contents: this.disk.contents() });
    // At the session's instant: what a backup copies.
    if (base !== undefined) this.check(base, pit, this.disk.contents());
  }

  /** Null where a layer that a pull let go of has a part of it still. */
  #planBegin(pit: string): ReturnType<typeof planBegin> | null {
    try {
      return planBegin(this.disk.state(), { pit, drawUuid: randomUUID });
    } catch (error) {
      if (error instanceof CbtError && error.reason === 'BUSY' && this.disk.left.length > 0) return null;
      throw error;
    }
  }

  /** Whether it is answered, then rightly. */
  check(from: Taken, to: string | null, after: readonly number[]): void {
    let changed: Set<number>;
    try {
      const end = to === null ? null : parsePoint('to', to);
      changed = this.disk.answer(planChanges(this.disk.state(), parsePoint('from', from.pit), end));
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      if (error.recovery === 'full' || (error.reason === 'BUSY' && this.disk.left.length > 0)) return;
      throw error;
    }
    after.forEach((content, block) => {
      const was = from.contents[block] ?? 0;
      if (content !== was && !changed.has(block))
        throw new Error(`block ${block} went from ${was} to ${content} since ${from.pit}, unseen`);
    });
    this.told.answered += 1;
  }

  do({ do: what, at, more }: Step): void {
    const { disk } = this;
    const last = disk.layers.length - 1;
    const top = at % (last + 1);
    if (what === 'write') disk.write(at);
    else if (what === 'begin') this.begin();
    else if (what === 'failed') {
      this.begin();
      this.#change(false, 0);
    } else if (what === 'snapshot' && last < 4) snapshot(disk);
    else if (what === 'commit' && top < last) commit(disk, top, top + 1 + (more % (last - top)));
    else if (what === 'pull' && last > 0) pull(disk, more % 2 === 0 ? last + 1 : 2 + (at % last));
    else if (what === 'settle') settle(disk);
    else if (what === 'copy') copy(disk, more % 2 === 0);
    else if (what === 'revert') revert(disk);
    else if (what === 'grow' && disk.top.blocks < 16) disk.resize(disk.top.blocks + 1);
    else if (what === 'crash' && more === 0)
      for (const bitmap of disk.top.bitmaps) bitmap.inconsistent = true;
    else if (what === 'forget' || what === 'rollback') this.#change(what === 'forget', at);
  }

  #change(forget: boolean, at: number): void {
    try {
      const [chain] = readCatalogue(this.disk.state()).chains;
      const pit = forget ? this.taken[at % Math.max(this.taken.length, 1)]?.pit : chain && newest(chain).pit;
      if (pit === undefined) return;
      const plan = forget ? planForget : planRollback;
      this.disk.apply(plan(this.disk.state(), pit).actions);
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
    }
  }
}

function live(steps: readonly Step[]): Told {
  const life = new Life();
  life.begin();
  for (const one of steps) life.do(one);
  const { disk, taken } = life;
  for (const settled of [false, true]) {
    if (settled) settle(disk);
    taken.forEach((from, index) => {
      life.check(from, null, disk.contents());
      for (const { pit, contents } of taken.slice(index)) life.check(from, pit, contents);
    });
  }
  return life.told;
}

test('while overlays come and go whole, no backup but the first is full', () => {
  const calm = fc.record({
    do: fc.constantFrom('write', 'write', 'begin', 'begin', 'failed', 'snapshot', 'commit', 'pull'),
    at: fc.constant(0),
    more: fc.constant(0),
  });
  fc.assert(
    fc.property(fc.array(calm, { maxLength: 40, size: 'max' }), (steps) => {
      expect(live(steps).full).toBe(1);
    }),
    { numRuns: runs(300) },
  );
});

test('no answer misses a block, whatever libvirt does to the layers', () => {
  const all = { answered: 0, incremental: 0, full: 0 };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const told = live(steps);
      for (const name of ['answered', 'incremental', 'full'] as const) all[name] += told[name];
    }),
    { numRuns: runs(1500) },
  );
  // The law would hold for a chain that always refuses; it must not be kept that way.
  expect(all.answered).toBeGreaterThan(runs(5_000));
  expect(all.incremental).toBeGreaterThan(all.full);
});
