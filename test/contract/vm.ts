/**
 * The promises of `Vm` that backups, the command and the facades stand on, running or off. A maker has a VM of two disks, nothing
 * of which is tracked; `vm.test.ts` has a line for each.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Vm } from '../../lib/core/vm.js';
import { refusalOf } from '../helpers/refusal.js';

export const DISKS = ['a', 'b'] as const;
export const DISK_BYTES = 4 << 20;
/** Bytes that one bit stands for, of images this small. */
export const GRANULE = 65_536;
/** A point in time that no disk has. */
export const NOBODYS_PIT = '11111111-2222-4333-8444-555555555555';

export interface VmSubject extends AsyncDisposable {
  vm: Vm;
  /** Another connection to the same. */
  again(): Promise<Vm>;
  /** Writes as the guest would, by a command of qemu-io; while the VM is off, as if it had run in between. */
  guestIo(disk: string, command: string): Promise<void>;
  image(disk: string): string;
  /** Has the next `begin` and `reset` take their time, where they would be done at once. */
  slowDown?(): void;
  /** Damages the history of a tracked disk, or its image, behind everybody's back. */
  spoil(disk: string): Promise<void>;
  /** Makes a name that both disks, or other two, have; where they can have one. */
  twoOfAName?(): Promise<string>;
}

export type MakeVm = () => Promise<VmSubject>;

/** UUIDs of the points in time of a disk, oldest first. */
export async function pitsOf(vm: Vm, disk: string): Promise<string[]> {
  await using opened = await vm.openDisk(disk);
  return (await opened.pits()).pits.map(({ pit }) => pit);
}

export interface VmMaker {
  running: boolean;
  make: MakeVm;
  /** There is no QEMU. */
  monitorless?: true;
  /** No name can be two disks'. */
  unambiguous?: true;
  /** The same VM with two disks more, `twin1` and `twin2`, where it takes them for one name to be two disks'. */
  makeTwins?: MakeVm;
}

export function vmContract(
  maker: string,
  { running, make, makeTwins, unambiguous, monitorless }: VmMaker,
): void {
  describe(`a VM, ${maker}`, () => {
    let subject: VmSubject;
    let vm: Vm;
    beforeEach(async () => {
      subject = await make();
      vm = subject.vm;
    });
    afterEach(() => subject?.[Symbol.asyncDispose]());

    const everyPit = (): Promise<string[][]> => Promise.all(DISKS.map((disk) => pitsOf(vm, disk)));
    const point = async (disks?: readonly string[]): Promise<string> => {
      const session = await vm.begin({ disks });
      await session.commit();
      return session.pit;
    };

    test('lists its disks by name, and opens them by it', async () => {
      expect(vm.running).toBe(running);
      expect(vm.key).not.toBe('');
      expect((await vm.disks()).map(({ disk }) => disk).sort()).toEqual([...DISKS]);
      expect(await vm.disks({ disks: DISKS })).toMatchObject(
        DISKS.map((disk) => ({
          disk,
          filename: subject.image(disk),
          sizeBytes: DISK_BYTES,
          format: 'qcow2',
          persistent: true,
          trackable: true,
        })),
      );
      expect(await vm.disks({ disks: ['b', 'b'] })).toMatchObject([{ disk: 'b' }]);
      await using opened = await vm.openDisk('b');
      expect(opened.disk).toBe('b');
      expect(await opened.pits()).toMatchObject({ disk: 'b', state: 'untracked' });
    });

    test('a name that no disk has is refused, whoever is asked, and nothing is done to those that there are', async () => {
      const disks = ['a', 'nobody'];
      for (const ask of [
        () => vm.openDisk('nobody'),
        () => vm.disks({ disks }),
        () => vm.enable({ disks }),
        () => vm.reset({ disks }),
        () => vm.begin({ disks }),
      ])
        expect(await refusalOf(ask)).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
      expect(await everyPit()).toEqual([[], []]);
    });

    if (!unambiguous)
      test('a name that two disks have is refused with both of them, whoever is asked', async () => {
        if (makeTwins !== undefined) {
          await subject[Symbol.asyncDispose]();
          subject = await makeTwins();
          vm = subject.vm;
        }
        const { pit } = await vm.enable({ disks: DISKS });
        const name = await subject.twoOfAName!();
        const disks = ['a', name];
        await using session = await vm.begin({ disks: DISKS });
        for (const ask of [
          () => vm.openDisk(name),
          () => vm.disks({ disks }),
          () => vm.enable({ disks }),
          () => vm.reset({ disks }),
          () => vm.disable({ disks }),
          () => vm.forget(String(pit), { disks }),
          () => vm.undo(String(pit), { disks }),
          () => session.openDisk(name),
          () => session.openData(name),
        ]) {
          const { code, message } = await refusalOf(ask);
          expect([code, message]).toEqual([
            'ERR_CBT_INVALID_ARGUMENT',
            expect.stringMatching(/fits 2 disks: .*twin[12].*; .*twin[12]/),
          ]);
        }
        await session.rollback();
        expect(await refusalOf(vm.begin({ disks }))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
        expect(await everyPit()).toEqual([[pit], [pit]]);
      });

    test('a disk that is damaged says so, and spoils nothing of the other', async () => {
      const first = String((await vm.enable()).pit);
      await subject.guestIo('a', `write -P 1 0 ${GRANULE}`);
      await subject.spoil('b');
      expect((await vm.disks()).map(({ disk }) => disk).sort()).toEqual([...DISKS]);
      const changes = async (disk: string): Promise<number[]> => {
        await using opened = await vm.openDisk(disk);
        return [...(await (await opened.changes({ from: first })).ranges())];
      };
      expect(await refusalOf(changes('b'))).toMatchObject({ disk: 'b' });
      expect(await changes('a')).toEqual([0, GRANULE]);
      // What is of all or of none is of none, and says whose fault that is.
      const blamed = await refusalOf(vm.forget(first, { disks: DISKS }));
      expect((blamed.disks ?? [blamed]).map(({ disk }) => disk)).toContain('b');
      expect(await pitsOf(vm, 'a')).toEqual([first]);
      const second = await point(['a']);
      expect(await pitsOf(vm, 'a')).toEqual([first, second]);
      expect((await vm.undo(second, { disks: DISKS })).disks).toMatchObject([
        { disk: 'a' },
        { disk: 'b', error: { disk: 'b' } },
      ]);
      expect(await pitsOf(vm, 'a')).toEqual([first]);
    });

    test('enable is of all disks at one instant, or of none', async () => {
      const first = await vm.enable({ disks: ['a'] });
      expect(first.disks).toMatchObject([{ disk: 'a', epoch: expect.any(String) }]);
      // One that is tracked keeps what it has, and the other is not begun.
      expect(await refusalOf(vm.enable({ disks: DISKS }))).toMatchObject({
        code: 'ERR_CBT_INVALID_ARGUMENT',
        disk: 'a',
        disks: [
          { disk: 'a', error: { code: 'ERR_CBT_INVALID_ARGUMENT' } },
          { disk: 'b', error: { code: 'ERR_CBT_NOT_DONE' } },
        ],
      });
      expect(await everyPit()).toEqual([[first.pit], []]);
    });

    test('reset begins anew whatever was there, and no older point answers', async () => {
      const first = await vm.enable({ disks: ['a'] });
      const { pit, disks } = await vm.reset({ disks: DISKS });
      expect(disks.map(({ disk, error }) => [disk, error])).toEqual([
        ['a', undefined],
        ['b', undefined],
      ]);
      expect(await everyPit()).toEqual([[pit], [pit]]);
      await using disk = await vm.openDisk('a');
      expect((await disk.pits()).epoch).not.toBe(first.disks[0]?.epoch);
      expect(await refusalOf(disk.changes({ from: String(first.pit) }))).toMatchObject({
        recovery: 'full',
      });
    });

    test('disable takes all points off the disks that are named, and nothing off the others', async () => {
      const { pit } = await vm.enable();
      await vm.disable({ disks: ['b'] });
      expect(await everyPit()).toEqual([[pit], []]);
      expect((await vm.reset({ disks: ['b'] })).disks).toMatchObject([{ disk: 'b' }]);
      expect(await pitsOf(vm, 'b')).toHaveLength(1);
    });

    test('forget joins what a point recorded to the one before, and is of all disks or of none', async () => {
      const { pit: first } = await vm.enable();
      await subject.guestIo('a', `write -P 1 0 ${GRANULE}`);
      const second = await point();
      await subject.guestIo('a', `write -P 2 ${2 * GRANULE} ${GRANULE}`);
      const third = await point(['a']);
      // Of the two disks one does not know it.
      expect(await refusalOf(vm.forget(third, { disks: DISKS }))).toMatchObject({
        reason: 'UNKNOWN_PIT',
        disk: 'b',
        disks: [
          { disk: 'a', error: { code: 'ERR_CBT_NOT_DONE' } },
          { disk: 'b', error: { reason: 'UNKNOWN_PIT' } },
        ],
      });
      expect(await everyPit()).toEqual([
        [first, second, third],
        [first, second],
      ]);
      expect((await vm.forget(second)).disks.flatMap(({ error }) => error ?? [])).toEqual([]);
      expect(await everyPit()).toEqual([[first, third], [first]]);
      await using disk = await vm.openDisk('a');
      const changes = await disk.changes({ from: String(first), to: third });
      expect([...(await changes.ranges())]).toEqual([0, GRANULE, 2 * GRANULE, GRANULE]);
    });

    test('undo takes off the newest, also the only one; an older one is forgotten; each disk by itself', async () => {
      const [first, second, third] = [await point(['a']), await point(['a']), await point(['a'])];
      const undone = async (pit: string): Promise<string[]> => {
        const { disks, partial } = await vm.undo(pit, { disks: DISKS });
        expect(partial).toBe(true);
        expect(disks).toMatchObject([{ disk: 'a' }, { disk: 'b', error: {} }]);
        expect(disks[0]?.error).toBeUndefined();
        return pitsOf(vm, 'a');
      };
      expect(await undone(second)).toEqual([first, third]);
      expect(await undone(third)).toEqual([first]);
      expect(await undone(first)).toEqual([]);
      expect(await refusalOf(vm.undo(first, { disks: ['a'] }))).toMatchObject({
        disk: 'a',
        disks: [{ disk: 'a' }],
      });
    });

    test('a call that is aborted before it begins does nothing', async () => {
      const { pit } = await vm.enable();
      const signal = AbortSignal.abort();
      for (const ask of [
        () => vm.reset({ signal }),
        () => vm.disable({ signal }),
        () => vm.forget(String(pit), { signal }),
        () => vm.undo(String(pit), { signal }),
        () => vm.begin({ signal }),
      ])
        expect(await refusalOf(ask)).toMatchObject({ code: 'ERR_CBT_ABORTED' });
      expect(await everyPit()).toEqual([[pit], [pit]]);
    });

    test('a call that is late ends, and is as if it had never been; a time that is none is refused', async () => {
      const { pit } = await vm.enable();
      subject.slowDown?.();
      for (const ask of [
        () => vm.begin({ timeoutMs: 1e-3 }),
        () => vm.reset({ timeoutMs: 1e-3, signal: new AbortController().signal }),
      ])
        expect(await refusalOf(ask)).toMatchObject({ code: 'ERR_CBT_TIMEOUT', details: { timeoutMs: 1e-3 } });
      expect(await everyPit()).toEqual([[pit], [pit]]);
      for (const timeoutMs of [0, -1, Number.NaN, 2 ** 31])
        expect(await refusalOf(vm.disks({ timeoutMs }))).toMatchObject({
          code: 'ERR_CBT_INVALID_ARGUMENT',
          details: { argument: 'timeoutMs' },
        });
      expect(await refusalOf(vm.begin({ timeoutMs: 1e3, signal: AbortSignal.abort() }))).toMatchObject({
        code: 'ERR_CBT_ABORTED',
      });
      await using session = await vm.begin({ timeoutMs: 60_000 });
      await session.check('a', { timeoutMs: 60_000 });
    });

    test('a disk’s bytes are read where they stand still, and refused where a VM writes to them', async () => {
      await subject.guestIo('a', `write -P 5 0 ${GRANULE}`);
      await using disk = await vm.openDisk('a');
      if (running) {
        expect(await refusalOf(disk.openData())).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED', disk: 'a' });
        return;
      }
      await using data = await disk.openData();
      expect((await data.read(GRANULE - 1, 2)).toString('hex')).toBe('0500');
    });

    test('its monitor is there for what has no call; off, there is none', async () => {
      expect(vm.lost.aborted).toBe(false);
      if (!running || monitorless) {
        expect(await refusalOf(vm.qmp('query-version'))).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED' });
        return;
      }
      expect(await vm.qmp('query-version')).toMatchObject({ qemu: { major: expect.any(Number) } });
      const nobody = { node: 'nobody', name: 'x' };
      expect(await refusalOf(vm.qmp('block-dirty-bitmap-remove', nobody))).toMatchObject({
        details: { qmpClass: 'GenericError', description: expect.stringContaining('nobody') },
      });
      expect(await refusalOf(vm.qmp(''))).toMatchObject({ details: { argument: 'command' } });
      expect(await refusalOf(vm.qmp('query-version', [] as object))).toMatchObject({
        details: { argument: 'args' },
      });
      expect(await refusalOf(vm.qmp('query-version', {}, { signal: AbortSignal.abort() }))).toMatchObject({
        code: 'ERR_CBT_ABORTED',
      });
    });

    test('closed, it rolls back the session that was begun on it, which says so; one that is detached stays', async () => {
      const { pit: first } = await vm.enable({ disks: DISKS });
      await subject.guestIo('a', `write -P 9 0 ${GRANULE}`);
      const session = await vm.begin({ disks: DISKS });
      const data = await session.openData('a');
      await vm.close();
      const { broken, signal } = session;
      expect(broken).toMatchObject({ code: 'ERR_CBT_CLOSED', details: { session: session.pit } });
      expect(broken?.message).toContain('was closed here while it was open');
      expect([signal.aborted, signal.reason]).toEqual([true, broken]);
      for (const ask of [
        () => session.check(),
        () => session.openDisk('a'),
        () => session.openData('a'),
        () => session.commit(),
        () => data.read(0, 1),
      ])
        expect(await refusalOf(ask), String(ask)).toMatchObject({ code: 'ERR_CBT_CLOSED' });
      // What it was asked for has been done.
      expect((await session.rollback()).disks.flatMap(({ error }) => error ?? [])).toEqual([]);
      await session[Symbol.asyncDispose]();
      await data.close().catch(() => undefined);

      vm = await subject.again();
      expect(await everyPit()).toEqual([[first], [first]]);
      const detached = await vm.begin({ disks: DISKS, detached: true, allowUnwatchedScratch: true });
      await using disk = await detached.openDisk('a');
      // The guest's write is not lost with the session that was rolled back.
      expect([...(await (await disk.changes({ from: String(first) })).ranges())]).toEqual([0, GRANULE]);
      await vm.close();
      expect(detached.broken).toBeNull();
      vm = await subject.again();
      await (await vm.resume(detached.pit)).commit();
      expect(await everyPit()).toEqual(DISKS.map(() => [first, detached.pit]));
      await vm.close();
    });

    test('closed, it answers nothing any more, and closing again is nothing', async () => {
      const opened = await vm.openDisk('a');
      await vm.close();
      await vm.close();
      await vm[Symbol.asyncDispose]();
      for (const ask of [
        () => vm.disks(),
        () => vm.openDisk('a'),
        () => vm.enable(),
        () => vm.reset(),
        () => vm.disable(),
        () => vm.forget(NOBODYS_PIT),
        () => vm.undo(NOBODYS_PIT),
        () => vm.begin(),
        () => vm.resume(NOBODYS_PIT),
        () => vm.qmp('query-version'),
        () => opened.pits(),
      ])
        expect(await refusalOf(ask), String(ask)).toMatchObject({ code: 'ERR_CBT_CLOSED' });
    });
  });
}
