/**
 * The promises of `Session` that whoever reads a backup stands on: one instant on all disks, readable until it ends, and then
 * kept or gone. Made by the makers of a VM; `session.test.ts` has a line for each.
 */
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DiffOptions, DiffPiece } from '../../lib/core/diff.js';
import { CbtError } from '../../lib/core/errors.js';
import type { Session } from '../../lib/core/session.js';
import type { Vm } from '../../lib/core/vm.js';
import { refusalOf } from '../helpers/refusal.js';
import { DISK_BYTES, DISKS, GRANULE, type MakeVm, NOBODYS_PIT, pitsOf, type VmSubject } from './vm.js';

export function sessionContract(maker: string, make: MakeVm): void {
  describe(`a session, ${maker}`, () => {
    let subject: VmSubject;
    let vm: Vm;
    beforeEach(async () => {
      subject = await make();
      vm = subject.vm;
    });
    afterEach(() => subject?.[Symbol.asyncDispose]());

    const everyPit = (): Promise<string[][]> => Promise.all(DISKS.map((disk) => pitsOf(vm, disk)));
    const enable = async (): Promise<string> => String((await vm.enable({ disks: DISKS })).pit);
    const changesOf = async (session: Session, disk: string, from: string): Promise<number[]> => {
      await using opened = await session.openDisk(disk);
      return [...(await (await opened.changes({ from })).ranges())];
    };

    test('begins, reads, commits: the changes between are told, and the data of the instant is read', async () => {
      const first = await enable();
      await subject.guestIo('a', `write -P 7 ${GRANULE} ${GRANULE}`);
      const session = await vm.begin({ disks: DISKS });
      expect(session.broken).toBeNull();
      expect(session.disks).toMatchObject(
        DISKS.map((disk) => ({ disk, sizeBytes: DISK_BYTES, verdict: 'incremental', base: first })),
      );
      expect(await changesOf(session, 'a', first)).toEqual([GRANULE, GRANULE]);
      expect(await changesOf(session, 'b', first)).toEqual([]);
      const disk = await session.openDisk('a');
      expect(await (await disk.allocated()).changedBytes()).toBe(GRANULE);
      const bytes = await disk.openData();
      expect((await bytes.read(2 * GRANULE - 1, 2)).toString('hex')).toBe('0700');
      await bytes.close();
      await disk.close();
      const data = await session.openData('a', { contexts: ['base:allocation'] });
      expect(data.info).toMatchObject({ sizeBytes: DISK_BYTES, readOnly: true });
      expect((await data.read(GRANULE - 1, 2)).toString('hex')).toBe('0007');
      await data.close();
      await session.check();
      await session.check('a');
      expect(await session.commit()).toMatchObject({
        pit: session.pit,
        disks: session.disks.map(({ disk: name, epoch, changeId }) => ({ disk: name, epoch, changeId })),
      });
      expect(await everyPit()).toEqual(DISKS.map(() => [first, session.pit]));
    });

    test('a diff has what changed, with its zeros told, and goes on behind any piece', async () => {
      await subject.guestIo('a', `write -P 1 0 ${8 * GRANULE}`);
      const first = await enable();
      await subject.guestIo('a', `write -P 7 ${GRANULE} ${2 * GRANULE}`);
      await subject.guestIo('a', `write -z ${4 * GRANULE} ${GRANULE}`);
      await subject.guestIo('a', `write -P 0 ${6 * GRANULE} ${GRANULE}`);
      await using session = await vm.begin({ disks: DISKS });
      const before = Buffer.alloc(DISK_BYTES);
      before.fill(1, 0, 8 * GRANULE);
      const after = Buffer.from(before);
      after
        .fill(7, GRANULE, 3 * GRANULE)
        .fill(0, 4 * GRANULE, 5 * GRANULE)
        .fill(0, 6 * GRANULE, 7 * GRANULE);
      const collect = async (options: Partial<DiffOptions> = {}, disk = 'a'): Promise<DiffPiece[]> => {
        const pieces: DiffPiece[] = [];
        for await (const piece of session.diff(disk, { from: first, chunkBytes: 32_768, ...options }))
          pieces.push(piece);
        return pieces;
      };
      const applied = (pieces: readonly DiffPiece[], to: Buffer): Buffer => {
        const made = Buffer.from(to);
        for (const { offset, length, data } of pieces) made.set(data ?? Buffer.alloc(length), offset);
        return made;
      };
      const pieces = await collect();
      expect(applied(pieces, before).equals(after)).toBe(true);
      expect(pieces.map(({ kind, offset }) => [kind, offset / GRANULE])).toEqual([
        ...[1, 1.5, 2, 2.5].map((at) => ['data', at]),
        ...pieces.slice(4).map(({ offset }) => ['zero', offset / GRANULE]),
      ]);
      expect(pieces.reduce((sum, { length }) => sum + length, 0)).toBe(4 * GRANULE);
      for (const [index, { token }] of pieces.entries()) {
        const rest = await collect({ resume: token });
        expect(applied(rest, applied(pieces.slice(0, index + 1), before)).equals(after)).toBe(true);
        expect(rest.map(({ offset }) => offset)).toEqual(pieces.slice(index + 1).map(({ offset }) => offset));
      }
      expect(applied(await collect({ from: '*' }), Buffer.alloc(DISK_BYTES)).equals(after)).toBe(true);
      expect(await collect({}, 'b')).toEqual([]);
      // Read as a web stream, and left early: nothing is held.
      const reader = session.diff('a', { from: first }).stream().getReader();
      expect(await reader.read()).toMatchObject({ done: false, value: { offset: GRANULE } });
      await reader.cancel();
      // Refused before anything is read, by name.
      const token = String(pieces[0]?.token);
      const forged = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
      const forge = (...changed: [number, unknown]): string =>
        Buffer.from(JSON.stringify(forged.with(...changed))).toString('base64url');
      for (const [options, disk] of [
        [{ resume: 'x' }, 'a'],
        [{ resume: token }, 'b'],
        [{ resume: token, from: '*' }, 'a'],
        [{ resume: forge(0, 2) }, 'a'],
        [{ resume: forge(1, NOBODYS_PIT) }, 'a'],
        [{ resume: forge(6, DISK_BYTES + 1) }, 'a'],
        [{ resume: forge(6, '0') }, 'a'],
        [{ resume: forge(6, -1) }, 'a'],
      ] as const)
        expect(await refusalOf(collect(options, disk)), JSON.stringify(options)).toMatchObject({
          code: 'ERR_CBT_INVALID_ARGUMENT',
          details: { argument: 'resume' },
        });
      expect(() => session.diff('a', { from: first, chunk: 1 } as DiffOptions)).toThrow(/no option "chunk"/);
      expect(() => session.diff('', { from: first })).toThrow(CbtError);
      expect(await refusalOf(collect({ signal: AbortSignal.abort() }))).toMatchObject({
        code: 'ERR_CBT_ABORTED',
      });
      expect(await refusalOf(collect({ from: NOBODYS_PIT }))).toMatchObject({ reason: 'UNKNOWN_PIT' });
    });

    test('starts from the point that is asked for, else from the newest', async () => {
      const first = await enable();
      await subject.guestIo('a', `write -P 1 0 ${GRANULE}`);
      const second = await vm.begin();
      await second.commit();
      await subject.guestIo('a', `write -P 2 ${2 * GRANULE} ${GRANULE}`);
      for (const [base, expected, ranges] of [
        [undefined, second.pit, [2 * GRANULE, GRANULE]],
        [first, first, [0, GRANULE, 2 * GRANULE, GRANULE]],
        [second.pit, second.pit, [2 * GRANULE, GRANULE]],
      ] as const) {
        await using session = await vm.begin({ base, disks: DISKS });
        expect(session.disks).toMatchObject(
          DISKS.map((disk) => ({ disk, verdict: 'incremental', base: expected })),
        );
        expect(await changesOf(session, 'a', expected)).toEqual(ranges);
      }
      await using unknown = await vm.begin({ base: NOBODYS_PIT, disks: DISKS });
      expect(unknown.disks).toMatchObject(
        DISKS.map((disk) => ({ disk, verdict: 'full', reason: 'UNKNOWN_PIT' })),
      );
    });

    test('a disk that was never tracked begins a history and says full, and does not spoil the other', async () => {
      const { pit } = await vm.enable({ disks: ['a'] });
      const session = await vm.begin({ disks: DISKS });
      expect(session.disks).toMatchObject([
        { disk: 'a', verdict: 'incremental', base: pit },
        { disk: 'b', verdict: 'full' },
      ]);
      await session.commit();
      expect(await everyPit()).toEqual([[pit, session.pit], [session.pit]]);
      // Nor does one that does not know the base.
      await using next = await vm.begin({ base: String(pit), disks: DISKS });
      expect(next.disks).toMatchObject([
        { disk: 'a', verdict: 'incremental', base: pit },
        { disk: 'b', verdict: 'full', reason: 'UNKNOWN_PIT' },
      ]);
    });

    test('of a disk that is damaged is told what can be done with it, and the other is as ever', async () => {
      const first = await enable();
      await subject.guestIo('a', `write -P 6 0 ${GRANULE}`);
      await subject.spoil('b');
      const session = await vm.begin({ disks: DISKS });
      const [a, b] = session.disks;
      expect(a).toMatchObject({ disk: 'a', verdict: 'incremental', base: first });
      expect(b?.disk).toBe('b');
      if (b?.error === undefined) expect(b).toMatchObject({ verdict: 'full', reason: expect.any(String) });
      else expect(b.error).toMatchObject({ disk: 'b' });
      expect(await changesOf(session, 'a', first)).toEqual([0, GRANULE]);
      const data = await session.openData('a');
      expect((await data.read(GRANULE - 1, 2)).toString('hex')).toBe('0600');
      await data.close();
      await session.check('a');
      const { disks } = await session.commit();
      expect(disks.map(({ disk, error }) => [disk, error?.disk])).toEqual([
        ['a', undefined],
        ['b', b?.error && 'b'],
      ]);
      expect(await pitsOf(vm, 'a')).toEqual([first, session.pit]);
    });

    test.each(['commit', 'rollback'] as const)(
      'a disk that is damaged meanwhile is lost by itself: %s',
      async (end) => {
        const first = await enable();
        const session = await vm.begin({ disks: DISKS });
        const data = await session.openData('a');
        await data.read(0, 1);
        await data.close();
        await subject.spoil('b');
        await session.check('a');
        const { disks } = await session[end]();
        expect(disks).toMatchObject([{ disk: 'a' }, { disk: 'b' }]);
        expect(disks[0]?.error).toBeUndefined();
        if (end === 'commit') expect(disks[1]?.error).toMatchObject({ disk: 'b' });
        expect(await pitsOf(vm, 'a')).toEqual(end === 'commit' ? [first, session.pit] : [first]);
      },
    );

    test('has the disks that were asked for, and no other', async () => {
      const first = await enable();
      const session = await vm.begin({ disks: ['b'] });
      expect(session.disks.map(({ disk }) => disk)).toEqual(['b']);
      for (const ask of [
        () => session.openDisk('a'),
        () => session.openData('a'),
        () => session.openDisk('nobody'),
      ])
        expect(await refusalOf(ask)).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
      await session.commit();
      expect(await everyPit()).toEqual([[first], [first, session.pit]]);
    });

    test('rolled back, or disposed of, it is as if it had never been: no change is lost', async () => {
      const first = await enable();
      await subject.guestIo('a', `write -P 3 0 ${GRANULE}`);
      {
        await using session = await vm.begin({ disks: ['a'] });
        expect(session.disks).toMatchObject([{ disk: 'a' }]);
      }
      expect(await everyPit()).toEqual([[first], [first]]);
      const session = await vm.begin();
      expect((await session.rollback()).disks.flatMap(({ error }) => error ?? [])).toEqual([]);
      expect(await everyPit()).toEqual([[first], [first]]);
      await using next = await vm.begin();
      expect(await changesOf(next, 'a', first)).toEqual([0, GRANULE]);
    });

    test('a detached one is resumed by its point, and ended by whoever resumed it', async () => {
      const first = await enable();
      const { pit, disks } = await vm.begin({ detached: true, allowUnwatchedScratch: true });
      const resumed = await vm.resume(pit);
      expect(resumed.pit).toBe(pit);
      expect(resumed.disks).toMatchObject(disks.map(({ disk, changeId }) => ({ disk, changeId })));
      const data = await resumed.openData('b');
      expect((await data.read(0, 1)).toString('hex')).toBe('00');
      await data.close();
      await resumed.check();
      await resumed.commit();
      expect(await everyPit()).toEqual(DISKS.map(() => [first, pit]));
    });

    test.each(['commit', 'rollback'] as const)('after its %s it answers nothing', async (end) => {
      await enable();
      const session = await vm.begin();
      await session[end]();
      for (const ask of [
        () => session.openDisk('a'),
        () => session.openData('a'),
        () => session.check(),
        () => session.commit(),
        () => session.rollback(),
      ])
        expect(await refusalOf(ask), String(ask)).toMatchObject({ code: 'ERR_CBT_CLOSED' });
      const before = await everyPit();
      await session[Symbol.asyncDispose]();
      expect(await everyPit()).toEqual(before);
    });

    test('a begin that is called off, at whatever moment, leaves no point in time and loses no change', async () => {
      const first = await enable();
      await subject.guestIo('a', `write -P 4 0 ${GRANULE}`);
      const called = new Set<string>();
      for (let turns = 0; turns <= 60; turns += 12) {
        const abort = new AbortController();
        const beginning = vm.begin({ signal: abort.signal }).then(
          async (session) => {
            await session.rollback();
            return 'begun';
          },
          (error: { code?: string }) => error.code ?? String(error),
        );
        for (let turn = 0; turn < turns; turn += 1) await setImmediate();
        abort.abort();
        called.add(await beginning);
        expect(await everyPit(), `after ${turns} turns`).toEqual([[first], [first]]);
      }
      expect([...called].filter((how) => how !== 'begun')).toEqual(['ERR_CBT_ABORTED']);
      await using session = await vm.begin();
      expect(await changesOf(session, 'a', first)).toEqual([0, GRANULE]);
    });

    test('two at once are refused, or both are right', async () => {
      const first = await enable();
      await subject.guestIo('a', `write -P 5 0 ${GRANULE}`);
      const begun: Session[] = [];
      for (const how of await Promise.allSettled([vm.begin(), vm.begin()]))
        if (how.status === 'fulfilled') begun.push(how.value);
        else expect(how.reason).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
      const kept = new Map<string, string[]>(DISKS.map((disk) => [disk, []]));
      const keep = async (session: Session): Promise<void> => {
        for (const { disk, error } of session.disks) {
          if (error !== undefined) {
            expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
            continue;
          }
          expect(await changesOf(session, disk, first)).toEqual(disk === 'a' ? [0, GRANULE] : []);
          const data = await session.openData(disk);
          expect((await data.read(GRANULE - 1, 2)).toString('hex')).toBe(disk === 'a' ? '0500' : '0000');
          await data.close();
          await session.check(disk);
          kept.get(disk)?.push(session.pit);
        }
        const { disks } = await session.commit();
        for (const { disk, error } of disks)
          if (kept.get(disk)?.includes(session.pit)) expect(error, `${disk} at its commit`).toBeUndefined();
      };
      for (const session of begun) await keep(session);
      // Where each saw the other both may be refused, and neither is in the way of the next.
      if (begun.length === 0) await keep(await vm.begin());
      for (const disk of DISKS)
        expect((await pitsOf(vm, disk)).sort()).toEqual([first, ...(kept.get(disk) ?? [])].sort());
    });
  });
}
