/**
 * Every change of tracking × every call of its target failing, before it took effect or after: no point in time is left that nobody
 * was told of, the chain of each disk is whole, and what is known since the last backup covers what was written.
 */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { TrackedState } from '../../../lib/core/beginPlan.js';
import { currentChain, readCatalogue } from '../../../lib/core/chain.js';
import { planChanges } from '../../../lib/core/changeQuery.js';
import { CbtError } from '../../../lib/core/errors.js';
import { begin, disable, enable, forget, reset, rollback } from '../../../lib/core/tracking.js';
import type { DiskChange, TrackingTarget } from '../../../lib/core/trackingTarget.js';
import { atEveryStep, failing } from '../../helpers/atEveryStep.js';
import { ModelDisk } from '../../helpers/modelDisk.js';
import { refusalOf } from '../../helpers/refusal.js';

/** Two disks whose transactions are all or nothing, with a base that a backup was made of. */
class ModelVm implements TrackingTarget {
  readonly models: Record<string, ModelDisk> = { vda: new ModelDisk(8), vdb: new ModelDisk(8) };
  readonly backups = new Map<string, Record<string, number[]>>();

  async disks(): Promise<TrackedState[]> {
    return Object.entries(this.models).map(([disk, model]) => ({
      disk,
      state: { ...model.state(), disk, live: true },
    }));
  }

  async apply(changes: readonly DiskChange[]): Promise<void> {
    for (const { disk, actions } of changes) this.models[disk]!.apply(actions);
  }

  /** Somebody was told of this point, and has a backup of it. */
  told(pit: string | null): string {
    if (pit === null) throw new Error('no point was taken');
    this.backups.set(
      pit,
      Object.fromEntries(Object.entries(this.models).map(([name, model]) => [name, model.contents()])),
    );
    return pit;
  }

  write(block: number): void {
    for (const model of Object.values(this.models)) model.write(block);
  }

  /** Points that stand on a disk, oldest first. */
  points(disk: string): string[] {
    return currentChain(readCatalogue(this.models[disk]!.state()))?.segments.map(({ pit }) => pit) ?? [];
  }

  /** What the next backup from the point would copy has all that differs from it. */
  requireCovered(disk: string, pit: string): void {
    const model = this.models[disk]!;
    const before = this.backups.get(pit)![disk]!;
    const state = { ...model.state(), live: true };
    const changed = model.answer(planChanges(state, { kind: 'pit', pit }, null));
    for (const [block, content] of model.contents().entries())
      if (content !== before[block]) expect([...changed], `block ${block} since ${pit}`).toContain(block);
  }
}

interface World {
  vm: ModelVm;
  first: string;
  second: string;
}

async function backedUp(): Promise<World> {
  const vm = new ModelVm();
  const start = await enable(vm, { pit: randomUUID(), drawUuid: randomUUID });
  const first = vm.told(start.pit);
  vm.write(1);
  const second = vm.told((await begin(vm, { pit: randomUUID(), drawUuid: randomUUID })).pit);
  vm.write(2);
  return { vm, first, second };
}

async function untracked(): Promise<World> {
  const vm = new ModelVm();
  vm.write(1);
  return { vm, first: '', second: '' };
}

const OPERATIONS: readonly {
  name: string;
  prepare?: () => Promise<World>;
  body(world: World): Promise<{ pit: string | null } | unknown>;
  /** What may be gone, besides what was there before. */
  removes?: (world: World) => string[];
  /** It takes a point, which counts only for whoever is told. */
  takes?: true;
}[] = [
  {
    name: 'enable',
    prepare: untracked,
    body: ({ vm }) => enable(vm, { pit: randomUUID(), drawUuid: randomUUID }),
    takes: true,
  },
  { name: 'begin', body: ({ vm }) => begin(vm, { pit: randomUUID(), drawUuid: randomUUID }), takes: true },
  {
    name: 'reset',
    body: ({ vm }) => reset(vm, { pit: randomUUID(), drawUuid: randomUUID }),
    removes: ({ first, second }) => [first, second],
    takes: true,
  },
  {
    name: 'disable',
    body: ({ vm }) => disable(vm),
    removes: ({ first, second }) => [first, second],
  },
  {
    name: 'forget the oldest',
    body: ({ vm, first }) => forget(vm, { point: { kind: 'pit', pit: first } }),
    removes: ({ first }) => [first],
  },
  {
    name: 'forget the newest',
    body: ({ vm, second }) => forget(vm, { point: { kind: 'pit', pit: second } }),
    removes: ({ second }) => [second],
  },
  {
    name: 'roll back',
    body: ({ vm, second }) => rollback(vm, { pit: second }),
    removes: ({ second }) => [second],
  },
];

describe.each(OPERATIONS)('$name', ({ prepare = backedUp, body, removes = () => [], takes }) => {
  test.each(['before', 'after'] as const)('a call that fails %s it took effect', async (when) => {
    const fault = (): CbtError => new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'the link is gone');
    let world: World;
    const met = await atEveryStep(
      (n) => failing(world.vm, ['disks', 'apply'], when, fault)(n),
      async () => {
        world = await prepare();
        return world;
      },
      body,
      async ({ world: { vm }, failed, result, error }) => {
        expect(failed).toBe(error !== undefined);
        const pit = (result as { pit: string | null } | undefined)?.pit ?? null;
        const new_ = takes && pit !== null ? [vm.told(pit)] : [];
        vm.write(3);
        for (const disk of Object.keys(vm.models)) {
          const points = vm.points(disk);
          // Nobody's point is the base of anything.
          for (const point of points) expect([...vm.backups.keys()]).toContain(point);
          for (const point of points) vm.requireCovered(disk, point);
          const gone = [...vm.backups.keys()].filter((point) => !points.includes(point));
          for (const point of gone) expect([...removes(world), ...new_]).toContain(point);
          if (!failed) expect(points).toEqual(expect.arrayContaining(new_));
        }
        // The next one goes on from what is there, on both disks alike.
        const next = await begin(vm, { pit: randomUUID(), drawUuid: randomUUID });
        const [vda, vdb] = next.disks.map((one) => ('verdict' in one ? [one.verdict, one.base] : one));
        expect(vda).toEqual(vdb);
      },
    );
    expect(met).toBeGreaterThan(1);
  });
});

describe.each(OPERATIONS.filter(({ takes }) => takes))('$name', ({ prepare = backedUp, body }) => {
  test.each(['before', 'after'] as const)(
    'nothing answers from a call on (%s it took effect): a point that stays is told',
    async (when) => {
      const fault = (): CbtError => new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'the link is gone');
      let world: World;
      const told: unknown[] = [];
      await atEveryStep(
        (n) => failing(world.vm, ['disks', 'apply'], when, fault, { lasting: true })(n),
        async () => {
          world = await prepare();
          return world;
        },
        body,
        async ({ world: { vm }, failed, error }) => {
          if (!failed) return;
          expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE' });
          const { details, message } = error as CbtError;
          const stays = Object.keys(vm.models).filter((disk) =>
            vm.points(disk).some((pit) => !vm.backups.has(pit)),
          );
          for (const disk of stays) {
            expect(vm.points(disk).filter((pit) => !vm.backups.has(pit))).toEqual([details['pointStays']]);
            expect(String(details['pointStaysOn']).split(', ')).toContain(disk);
            expect(message).toContain(
              `${String(details['pointStays'])} may still be on vda (the link is gone) and vdb`,
            );
          }
          told.push(details['pointStays']);
        },
      );
      expect(told.filter((pit) => pit !== undefined)).not.toEqual([]);
    },
  );

  test('one disk that does not let its point go is named, and no other', async () => {
    const { vm, ...world } = await prepare();
    const real = vm.apply.bind(vm);
    let calls = 0;
    vm.apply = async (changes) => {
      calls += 1;
      if (calls > 1 && changes.some(({ disk }) => disk === 'vdb'))
        throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'no space left');
      await real(changes);
      if (calls === 1) throw new CbtError('ERR_CBT_TIMEOUT', 'no answer');
    };
    const error = await refusalOf(body({ vm, ...world }) as Promise<unknown>);
    const pit = String(error.details['pointStays']);
    expect(error).toMatchObject({ code: 'ERR_CBT_TIMEOUT', details: { pointStaysOn: 'vdb' } });
    expect(error.message).toContain(
      `no answer; moreover, the point in time ${pit} may still be on vdb (no space left)`,
    );
    expect(vm.points('vda')).not.toContain(pit);
    expect(vm.points('vdb')).toContain(pit);
  });
});
