/** What a disk's next layer builds on, whatever its chain, its folder and its earlier runs are. */
import { describe, expect, test } from 'vitest';
import { type BaseQuestion, chooseBase, verdictOf } from '../../../lib/backup/chooseBase.js';
import type { BackupFolder, Layer } from '../../../lib/backup/folder.js';
import type { Place } from '../../../lib/backup/series.js';
import type { ChangeMap } from '../../../lib/core/changeMap.js';
import { CbtError } from '../../../lib/core/errors.js';

const EPOCH = 'aaaaaaaa-0000-4000-8000-000000000000';
const OTHER = 'bbbbbbbb-0000-4000-8000-000000000000';
const pitOf = (run: number): string => `00000000-0000-4000-8000-${String(run).padStart(12, '0')}`;

/** Run n has point n at place n of the history, unless told otherwise. */
function layer(run: number, of: { epoch?: string | null; sequence?: number; twice?: boolean } = {}): Layer {
  const { epoch = EPOCH, sequence = run } = of;
  const disk = { disk: 'web', epoch, sequence, sizeBytes: 1 << 20 };
  const disks = of.twice ? [disk, { ...disk, disk: 'copy' }] : [disk];
  return { run: { run, pit: pitOf(run), disks, source: { kind: 'vm' } }, disk } as unknown as Layer;
}

const series = (...layers: Layer[]): Place['series'] => ({ id: 'x', owner: null, layers });
const ALLOCATED = { told: 'allocated' } as unknown as ChangeMap;
const mapSince = (from: string): ChangeMap => ({ told: `since ${from}` }) as unknown as ChangeMap;

interface Asked extends Partial<Omit<BaseQuestion, 'place' | 'points'>> {
  place?: Partial<Place>;
  /** Places of the history whose points stand. */
  standing?: readonly number[];
}

function ask({ place = {}, standing = [], ...more }: Asked = {}): ReturnType<typeof chooseBase> {
  return chooseBase({
    folder: null,
    place: { series: null, by: 'history', twin: null, joins: null, ...place },
    epoch: EPOCH,
    points: standing.map((sequence) => ({ pit: pitOf(sequence), sequence, changeId: '' })),
    lost: null,
    full: false,
    changes: async (from) => mapSince(from),
    allocated: async () => ALLOCATED,
    selection: {},
    ...more,
  });
}

/** A folder in which the files below these runs are not whole. */
function damagedAt(...runs: number[]): BackupFolder {
  return {
    stack(run: { run: number }) {
      if (runs.includes(run.run)) throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `run ${run.run} is broken`);
      return [];
    },
  } as unknown as BackupFolder;
}

const built = (run: number, message: string | null = null) => ({
  verdict: 'incremental',
  reason: null,
  message,
  base: { run: { run } },
  map: mapSince(pitOf(run)),
});
const full = (reason: string | null, message: unknown) => ({
  verdict: 'full',
  reason,
  message,
  base: null,
  map: ALLOCATED,
});

describe('builds on', () => {
  test('the newest run whose point stands', async () => {
    const place = { series: series(layer(1), layer(3), layer(2)) };
    expect(await ask({ place, standing: [1, 2, 3] })).toMatchObject(built(3));
  });

  test('an older one where the newest was rolled back, and says why', async () => {
    const place = { series: series(layer(2), layer(1)) };
    expect(await ask({ place, standing: [1] })).toMatchObject(
      built(
        1,
        `builds on run 1, a later one cannot serve: run 2, point in time ${pitOf(2)}, does not stand in the disk's chain`,
      ),
    );
  });

  test('the first reason is told, of several that cannot serve', async () => {
    const place = { series: series(layer(3), layer(2), layer(1)) };
    expect((await ask({ place, standing: [1] })).message).toContain('run 3, point in time');
  });

  test('a run of a series that was split off, by its number', async () => {
    const place = { series: series(layer(1)), joins: series(layer(2)) };
    expect(await ask({ place, standing: [1, 2] })).toMatchObject(built(2));
    const other = { series: series(layer(2)), joins: series(layer(1)) };
    expect(await ask({ place: other, standing: [1] })).toMatchObject({ base: { run: { run: 1 } } });
  });

  test('an older one where the files below the newest are not whole', async () => {
    const place = { series: series(layer(2), layer(1)) };
    const asked = { place, standing: [1, 2], folder: damagedAt(2) };
    expect(await ask(asked)).toMatchObject(
      built(1, 'builds on run 1, a later one cannot serve: run 2 is broken'),
    );
  });

  test('no layer without a history', async () => {
    const place = { series: series(layer(2, { epoch: null }), layer(1)) };
    expect(await ask({ place, standing: [1, 2] })).toMatchObject(built(1));
  });
});

describe('is full', () => {
  const place = { series: series(layer(1)) };

  test('where it is asked for, whatever stands', async () => {
    expect(await ask({ place, standing: [1], full: true })).toEqual(full(null, 'asked for'));
  });

  test('where another disk has the same history', async () => {
    const twin = { ...place, twin: 'db has the same history' };
    expect(await ask({ place: twin, standing: [1] })).toEqual(
      full('OTHER_EPOCH', 'db has the same history: each goes on by itself'),
    );
  });

  test('where tracking starts now: nothing was lost', async () => {
    const lost = { reason: 'NOT_RECORDING' as const, message: 'not tracked' };
    expect(await ask({ lost })).toEqual(full(null, 'first backup: tracking starts now'));
    // With an earlier run it is a loss.
    expect(await ask({ place, standing: [1], lost })).toEqual(full('NOT_RECORDING', 'not tracked'));
  });

  test('where the chain is lost, for that reason', async () => {
    const lost = { reason: 'CRASHED' as const, message: 'it crashed' };
    expect(await ask({ place, standing: [1], lost })).toEqual(full('CRASHED', 'it crashed'));
    expect(await ask({ lost })).toEqual(full('CRASHED', 'it crashed'));
  });

  test('where it is the first', async () => {
    expect(await ask({ standing: [1] })).toEqual(full(null, 'first backup into this folder'));
  });

  test('where no run has a point', async () => {
    const raw = { series: series(layer(1, { epoch: null })) };
    expect(await ask({ place: raw, standing: [1] })).toEqual(
      full(null, 'no earlier run of this disk has a point in time'),
    );
  });

  test('where no point stands', async () => {
    expect(await ask({ place })).toEqual(
      full('UNKNOWN_PIT', `run 1, point in time ${pitOf(1)}, does not stand in the disk's chain`),
    );
  });

  test.each([
    ['another place of the history', { place: { series: series(layer(1, { sequence: 7 })) } }],
    [
      'one of two disks of its run with one history',
      { place: { series: series(layer(1, { twice: true })) } },
    ],
  ])('where the point is that of %s', async (_, { place: odd }) => {
    expect(await ask({ place: odd, standing: [1] })).toMatchObject({
      verdict: 'full',
      reason: 'UNKNOWN_PIT',
    });
  });

  test('where the run is of another history, of a disk that has one or none', async () => {
    const other = { series: series(layer(1, { epoch: OTHER })) };
    const of = `run 1, point in time ${pitOf(1)}, is of the history ${OTHER}`;
    expect(await ask({ place: other, standing: [1] })).toEqual(
      full('OTHER_EPOCH', `${of}, and the disk has ${EPOCH}`),
    );
    expect(await ask({ place: other, standing: [1], epoch: null })).toEqual(
      full('OTHER_EPOCH', `${of}, and the disk has none`),
    );
  });

  test('where no run’s files are whole', async () => {
    expect(await ask({ place, standing: [1], folder: damagedAt(1) })).toEqual(full(null, 'run 1 is broken'));
  });

  test('where no point answers, and says how the disk was found', async () => {
    const changes = async (): Promise<ChangeMap> => {
      throw new CbtError('ERR_CBT_TRACKING_LOST', 'a segment is gone', { reason: 'MISSING' });
    };
    const found = { ...place, by: 'image' as const };
    expect(await ask({ place: found, standing: [1], changes })).toEqual(
      full('MISSING', 'a segment is gone; taken for the disk web of run 1 by the path of its image'),
    );
  });

  test('with no words where there are none', async () => {
    expect(await ask({ lost: { reason: 'SIZE', message: '' } })).toMatchObject({ message: null });
  });
});

test.each([
  new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'the VM is gone'),
  new CbtError('ERR_CBT_ABORTED', 'called off'),
  new CbtError('ERR_CBT_BACKEND_PROTOCOL', 'nonsense'),
  new TypeError('a mistake'),
])(
  '%s ends it: what is no loss of the chain is no reason for a full copy, nor for an older base',
  async (thrown) => {
    const changes = async (): Promise<ChangeMap> => {
      throw thrown;
    };
    const place = { series: series(layer(2), layer(1)) };
    await expect(ask({ place, standing: [1, 2], changes })).rejects.toBe(thrown);
  },
);

test('the point of the chosen run is asked for, with the selection as it was given', async () => {
  const asked: unknown[] = [];
  const selection = { signal: new AbortController().signal };
  const note = async (...args: unknown[]): Promise<ChangeMap> => {
    asked.push(args);
    return ALLOCATED;
  };
  await ask({ place: { series: series(layer(4)) }, standing: [4], selection, changes: note });
  await ask({ selection, allocated: note });
  expect(asked).toEqual([[pitOf(4), selection], [selection]]);
});

test('the verdict alone: an incremental one has no reason', () => {
  expect(verdictOf({ verdict: 'incremental', reason: 'CRASHED', message: 'm' })).toEqual({
    verdict: 'incremental',
    reason: null,
    message: 'm',
  });
  expect(verdictOf({ verdict: 'full', reason: 'CRASHED', message: 'm' })).toEqual({
    verdict: 'full',
    reason: 'CRASHED',
    message: 'm',
  });
});
