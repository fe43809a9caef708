/** The VM for users' tests, used as they would: by the public names of the subpath and of the library. */
import { describe, expect, test } from 'vitest';
import { backupToTarget } from '../../../lib/backup/objects/backupToTarget.js';
import { readObjectLayers } from '../../../lib/backup/objects/objectReader.js';
import { ObjectRuns } from '../../../lib/backup/objects/objectRuns.js';
import { verifyTarget } from '../../../lib/backup/objects/verifyTarget.js';
import type { BackupTarget } from '../../../lib/backup/target.js';
import { vmSource } from '../../../lib/backup/vmSource.js';
import { type CbtMatchers, createVm, matchers, type TestVm } from '../../../lib/testing/index.js';
import { refusalOf } from '../../helpers/refusal.js';
import { SEED } from '../../helpers/seed.js';

declare module 'vitest' {
  interface Matchers<T> extends CbtMatchers<T> {}
}
expect.extend(matchers);

const SIZE = 4 << 20;
const GRANULE = 65_536;
const make = (): Promise<TestVm> =>
  createVm({ disks: { vda: { sizeBytes: SIZE }, vdb: { sizeBytes: SIZE, format: 'raw' } } });

async function point(vm: TestVm): Promise<string> {
  await using connected = await vm.connect();
  const session = await connected.begin();
  await session.commit();
  return session.pit;
}

/** What `begin` says of each disk. */
async function verdicts(vm: TestVm): Promise<unknown[]> {
  await using connected = await vm.connect();
  await using session = await connected.begin();
  return session.disks.map(({ disk, verdict, reason }) => [disk, verdict, reason]);
}

test('writes are in the map of the session, and the session’s instant is what it was', async () => {
  const vm = await make();
  const from = await point(vm);
  vm.disk('vda').fill(100_000, 50_000, 7);
  vm.disk('vda').zero(1 << 20, 512);
  await using connected = await vm.connect();
  await using session = await connected.begin();
  vm.disk('vda').fill(0, SIZE, 9);
  const disk = await session.openDisk('vda');
  const map = await disk.changes({ from });
  await expect(map).toCover([
    { offset: 100_000, length: 50_000 },
    { offset: 1 << 20, length: 512 },
  ]);
  await expect(map).toHoldExactly([
    { offset: GRANULE, length: 2 * GRANULE },
    { offset: 1 << 20, length: GRANULE },
  ]);
  const data = await session.openData('vda');
  expect((await data.read(99_999, 2)).toString('hex')).toBe('0007');
  await data.close();
});

test('killed, every session and connection is lost, and the next backup is full with the reason', async () => {
  const vm = await make();
  await point(vm);
  const connected = await vm.connect();
  const session = await connected.begin();
  const disk = await session.openDisk('vda');
  vm.crash();
  expect([connected.lost.aborted, session.signal.aborted]).toEqual([true, true]);
  for (const ask of [
    () => session.check(),
    () => session.commit(),
    () => disk.pits(),
    () => connected.disks(),
    () => vm.connect(),
  ])
    expect(await refusalOf(ask as () => Promise<unknown>)).toBeCbtError('ERR_CBT_CONNECTION_LOST');
  vm.restart();
  // The old connection is of the process that ended.
  expect(await refusalOf(connected.disks())).toBeCbtError('ERR_CBT_CONNECTION_LOST');
  expect(await verdicts(vm)).toEqual([
    ['vda', 'full', 'CRASHED'],
    ['vdb', 'full', 'NOT_RECORDING'],
  ]);
});

test('stopped in order and started again, a qcow2 disk goes on, and a raw one begins anew', async () => {
  const vm = await make();
  const from = await point(vm);
  vm.disk('vda').fill(0, 1, 1);
  vm.restart();
  vm.disk('vda').fill(1 << 20, 1, 1);
  expect(await verdicts(vm)).toEqual([
    ['vda', 'incremental', undefined],
    ['vdb', 'full', 'NOT_RECORDING'],
  ]);
  await using connected = await vm.connect();
  await using disk = await connected.openDisk('vda');
  await expect(await disk.changes({ from })).toCover([
    { offset: 0, length: 1 },
    { offset: 1 << 20, length: 1 },
  ]);
});

test('growth counts as changed, a shrink is cut off, and one that was undone is told', async () => {
  const vm = await make();
  const from = await point(vm);
  const changes = async () => {
    await using connected = await vm.connect();
    await using disk = await connected.openDisk('vda');
    return [...(await (await disk.changes({ from })).ranges())];
  };
  vm.disk('vda').resize(SIZE + 4096);
  expect(await changes()).toEqual([SIZE, 4096]);
  expect(vm.disk('vda').content()).toHaveLength(SIZE + 4096);
  vm.disk('vda').fill(0, SIZE + 4096, 7);
  vm.disk('vda').resize(GRANULE + 512);
  expect(
    vm
      .disk('vda')
      .content()
      .equals(Buffer.alloc(GRANULE + 512, 7)),
  ).toBe(true);
  await point(vm);
  vm.disk('vda').resize(3 * GRANULE);
  // What was cut off does not come back, and since before the shrink nobody can tell what changed.
  expect(vm.disk('vda').content()).toEqual(
    Buffer.concat([Buffer.alloc(GRANULE + 512, 7), Buffer.alloc(2 * GRANULE - 512)]),
  );
  await using connected = await vm.connect();
  await using session = await connected.begin({ base: from });
  expect(session.disks[0]).toMatchObject({ verdict: 'full', reason: 'SIZE' });
});

test('a bitmap that is lost is told, and the other disk is as ever', async () => {
  const vm = await createVm({ disks: { a: { sizeBytes: SIZE }, b: { sizeBytes: SIZE } } });
  await point(vm);
  await point(vm);
  expect(vm.disk('a').bitmaps()).toHaveLength(2);
  vm.disk('a').loseBitmap();
  expect(await verdicts(vm)).toMatchObject([
    ['a', 'full', expect.any(String)],
    ['b', 'incremental', undefined],
  ]);
});

describe('faults', () => {
  test('by rule: the call that is meant, as often as is meant, and nothing is left of it', async () => {
    const vm = await make();
    const first = await point(vm);
    const connected = await vm.connect();
    vm.fault({ call: 'begin', after: 1, error: { code: 'ERR_CBT_TIMEOUT' } });
    await (await connected.begin()).rollback();
    expect(await refusalOf(connected.begin())).toBeCbtError('ERR_CBT_TIMEOUT');
    await (await connected.begin()).rollback();
    vm.fault({
      call: 'openDisk',
      disk: 'vdb',
      error: { code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' },
    });
    await using disk = await connected.openDisk('vda');
    expect(await refusalOf(connected.openDisk('vdb'))).toBeCbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'BUSY');
    expect((await disk.pits()).pits.map(({ pit }) => pit)).toEqual([first]);
    vm.fault({ call: 'commit', happens: 'crash' });
    const session = await connected.begin();
    expect(await refusalOf(session.commit())).toBeCbtError('ERR_CBT_CONNECTION_LOST');
    expect(vm.running).toBe(false);
  });

  test('by seed: the same faults for the same calls', async () => {
    const run = async (seed: number): Promise<string[]> => {
      const vm = await make();
      vm.faultsAtRandom({ seed, perThousand: 300 });
      const connected = await vm.connect();
      const how: string[] = [];
      for (let at = 0; at < 40; at += 1)
        how.push(
          await connected.disks().then(
            () => 'well',
            ({ code }: { code: string }) => code,
          ),
        );
      return how;
    };
    const once = await run(SEED >>> 0);
    expect(await run(SEED >>> 0)).toEqual(once);
    expect(new Set(await run(1))).toEqual(new Set(['well', 'ERR_CBT_BACKEND_UNAVAILABLE']));
  });

  test.each([
    ['another call', { call: 'nothing' }],
    ['a misspelt key', { call: 'begin', thn: 'crash' }],
    ['a code that is none', { call: 'begin', error: { code: 'ERR_CBT_WHAT' } }],
    ['our own slip as its error', { call: 'begin', error: { code: 'ERR_CBT_INTERNAL' } }],
    ['a reason that is none', { call: 'begin', error: { code: 'ERR_CBT_TIMEOUT', reason: 'BORED' } }],
    ['a number that is none', { call: 'begin', times: Number.NaN }],
  ])('a rule with %s is refused', async (_, rule) => {
    const vm = await make();
    expect(() => vm.fault(rule as never)).toThrow(
      expect.objectContaining({ code: 'ERR_CBT_INVALID_ARGUMENT' }),
    );
  });
});

test('points and histories are the same for the same seed and calls', async () => {
  const pits = async (seed: number): Promise<string[]> => {
    const vm = await createVm({ seed, disks: { vda: { sizeBytes: SIZE } } });
    return [vm.uuid, await point(vm), await point(vm), ...vm.disk('vda').bitmaps()];
  };
  expect(await pits(3)).toEqual(await pits(3));
  expect(await pits(3)).not.toEqual(await pits(4));
});

test('a program’s backups, under random writes and faults, never miss one', async () => {
  const vm = await createVm({ disks: { vda: { sizeBytes: SIZE } } });
  const objects = new Map<string, Buffer>();
  const target: BackupTarget = {
    name: 'memory',
    async write(key, data) {
      const parts: Uint8Array[] = [];
      for await (const part of data) parts.push(Uint8Array.from(part));
      objects.set(key, Buffer.concat(parts));
    },
    async *read(key, { offset = 0, length } = {}) {
      const data = objects.get(key);
      if (data === undefined) throw new Error(`no ${key}`);
      yield data.subarray(offset, length === undefined ? undefined : offset + length);
    },
    async *list(prefix) {
      for (const key of [...objects.keys()]) if (key.startsWith(prefix)) yield key;
    },
    remove: async (key) => void objects.delete(key),
  };
  let state = SEED >>> 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  vm.faultsAtRandom({ seed: SEED >>> 0, perThousand: 60 });
  let runs = 0;
  for (let turn = 0; turn < 60; turn += 1) {
    const offset = random(SIZE - 70_000);
    vm.disk('vda').fill(offset, 1 + random(70_000), random(256));
    if (random(10) === 0) vm.crash();
    if (!vm.running || random(10) === 0) vm.restart();
    const expected = vm.disk('vda').content();
    const connected = await vm.connect();
    const done = await backupToTarget(vmSource(connected), { to: target }).catch((error: unknown) => error);
    await connected.close();
    if (done instanceof Error) {
      // A session that a fault kept from being ended goes with its process.
      expect(done).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE' });
      vm.restart();
      continue;
    }
    if ((done as { run: string | null }).run === null) continue;
    runs += 1;
    const held = await ObjectRuns.read(target, undefined);
    const read = Buffer.alloc(SIZE);
    const options = { zeros: false, signal: undefined, onBytes: () => undefined };
    for await (const { offset: at, data } of readObjectLayers(target, held.stack(held.select({})), options))
      if (data !== null) data.copy(read, at);
    expect(read.equals(expected), `turn ${turn}, seed ${SEED}`).toBe(true);
  }
  expect(runs).toBeGreaterThan(10);
  expect((await verifyTarget({ from: target })).problems).toEqual([]);
});

describe('matchers', () => {
  const flat = (...numbers: number[]): Float64Array => Float64Array.from(numbers);
  test.each<[string, Float64Array, { offset: number; length: number }[], string | null]>([
    ['all', flat(0, 100), [{ offset: 5, length: 5 }], null],
    ['nothing of nothing', flat(), [], null],
    ['a hole', flat(0, 10, 20, 10), [{ offset: 5, length: 20 }], '10+10'],
    ['the end', flat(0, 10), [{ offset: 5, length: 10 }], '10+5'],
    ['everything', flat(), [{ offset: 1, length: 2 }], '1+2'],
    [
      'between two',
      flat(0, 4, 8, 4),
      [
        { offset: 0, length: 4 },
        { offset: 6, length: 4 },
      ],
      '6+2',
    ],
  ])('toCover: %s', async (_, map, writes, missing) => {
    const { pass, message } = await matchers.toCover(map, writes);
    expect([pass, pass || message().includes(`leaves out ${missing}`)]).toEqual([missing === null, true]);
  });
  test('toHoldExactly tells what is missing and what is too much', async () => {
    const { pass, message } = await matchers.toHoldExactly(flat(0, 10), [{ offset: 5, length: 10 }]);
    expect([pass, message()]).toEqual([false, expect.stringContaining('leaves out 10+5 and holds 0+5')]);
  });
});
