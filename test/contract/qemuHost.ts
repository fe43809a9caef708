/**
 * The promises of `QemuHost` that sessions stand on: who the VM is, a place for files that QEMU can write, what is free there, and
 * nothing told as seen that is not. At the other end is a real QEMU.
 */
import { lstat, mkdtemp, readdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { QemuHost } from '../../lib/backend/qemu/qemuHost.js';
import { CbtError } from '../../lib/core/errors.js';
import { eventually } from '../helpers/eventually.js';
import type { QemuProcess } from '../helpers/qemuProcess.js';
import { refusalOf } from '../helpers/refusal.js';

export interface HostSubject extends AsyncDisposable {
  qemu: QemuProcess;
  host: QemuHost;
  /** As a later process finds it; the one before is of no more use. */
  again(): Promise<QemuHost>;
  /** An image that QEMU has open, by its path. */
  image: string;
  /** An image that QEMU has open under this name, relative to a folder of its own. */
  relative: { name: string; path: string };
  /** Devices by id, as the VM's owner calls their disks. */
  names: Readonly<Record<string, string>>;
  /** QEMU's process is seen behind it. */
  sees: boolean;
  /** Somebody else's QEMU. */
  other: QemuProcess;
  /** The address that a record has of that one. */
  addressOf(other: QemuProcess): string;
  agent: { socket: string; isFrozen(): boolean; freeze(): void };
}

export function qemuHostContract(maker: string, make: () => Promise<HostSubject>): void {
  describe(`where a QEMU runs, ${maker}`, () => {
    let subject: HostSubject;
    let host: QemuHost;
    beforeAll(async () => {
      subject = await make();
      host = subject.host;
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());

    test('is the same VM for whoever comes later, and no other', async () => {
      const { key, address } = host;
      expect(key).not.toBe('');
      expect(key).toBe(key.includes('/') ? key : key.toLowerCase());
      host = await subject.again();
      expect(host).toMatchObject({ key, address });
      expect(await host.isOf({ key, vm: address })).toBe(true);
      expect(await host.isOf({ key: `${key}-2`, vm: address })).toBe(false);
      expect(await host.isOf({ key: `${key}-2`, vm: subject.addressOf(subject.other) })).toBe(false);
      // A copy of the VM has its UUID: where it is seen that another QEMU is there, the record is that one's.
      if (subject.sees) expect(await host.isOf({ key, vm: subject.addressOf(subject.other) })).toBe(false);
    });

    test('has a place for scratch files that QEMU can write, is searched later, and is nobody else’s', async () => {
      const place = await host.placeFor('fleece', [{ filename: subject.image }]);
      expect((await lstat(place)).isDirectory()).toBe(true);
      expect(await host.placeFor('fleece', [])).toBe(place);
      expect(await host.placesToSearch()).toContain(place);
      const folder = await mkdtemp(join(place, 'cbt-'));
      try {
        await host.own(folder);
        expect((await lstat(folder)).mode & 0o777 & ~0o700).toBe(0);
        await makeFile(join(folder, 'scratch.raw'));
        expect(await readdir(folder)).toEqual(['scratch.raw']);
        expect(await host.has(join(folder, 'scratch.raw'))).toBe(true);
        expect(await host.has(join(folder, 'nothing'))).toBe(false);
        expect(await host.firstClosed(folder)).toBeNull();
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    async function makeFile(filename: string): Promise<void> {
      const { control } = subject.qemu;
      const options = { driver: 'file', filename, size: 4096 };
      await control.execute('blockdev-create', { 'job-id': 'scratch', options });
      await eventually(async () =>
        expect(await control.execute('query-jobs')).toMatchObject([{ status: 'concluded' }]),
      );
      expect(await control.execute('query-jobs')).not.toMatchObject([{ error: expect.anything() }]);
      await control.execute('job-dismiss', { id: 'scratch' });
    }

    test('an overlay outlives a restart of the machine, or the mode is refused, or a place asked for', async () => {
      const mode = await host.refuseMode('overlay').then(
        () => null,
        (error: unknown) => error,
      );
      expect(await host.refuseMode('fleece')).toBeUndefined();
      if (mode !== null) {
        expect(mode).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED', details: { mode: 'overlay' } });
        return;
      }
      const place = await host.placeFor('overlay', [{ filename: subject.image }]);
      // One that sees nothing of QEMU knows no image's folder either.
      if (subject.sees) expect(await host.placesToSearch()).toContain(place);
      const none = await host.placeFor('overlay', [{ filename: 'json:{}' }]).catch((error: unknown) => error);
      if (none !== place) {
        expect(place).toBe(dirname(subject.image));
        expect(none).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
      }
    });

    test('tells the room there is, and of a folder that is none a coded error', async () => {
      const place = await host.placeFor('fleece', []);
      const free = await host.freeBytes(place);
      const { bavail, bsize, blocks } = await statfs(place);
      expect(Number.isSafeInteger(free) && free >= 0 && free <= blocks * bsize).toBe(true);
      expect(Math.abs(free - bavail * bsize)).toBeLessThan(256 << 20);
      const nothing = join(place, 'cbt-nothing');
      expect(await refusalOf(host.freeBytes(nothing))).toMatchObject({ details: { path: nothing } });
      expect(await refusalOf(host.own(nothing))).toBeInstanceOf(CbtError);
    });

    test('tells names that the owner and QEMU have for things, and of what has none nothing', async () => {
      const names = await host.namesOfDevices([...Object.keys(subject.names), 'nobody']);
      for (const [device, name] of Object.entries(subject.names)) expect(names.get(device)).toBe(name);
      expect(names.has('nobody')).toBe(false);
      expect((await host.namesOfDevices([])).has('nobody')).toBe(false);
      const { name, path } = subject.relative;
      const paths = await host.pathsOf([name, 'nothing.raw']);
      expect([...paths]).toEqual(subject.sees ? [[name, path]] : []);
      for (const said of [
        host.confinedBy,
        await host.definition(),
        await host.riskOfTracking(),
        await host.otherJob(),
      ])
        expect(said === null || said.length > 0).toBe(true);
    });

    test('says that a file was replaced only where that is seen', async () => {
      expect(await host.isReplaced(subject.image)).toBe(false);
      const aside = `${subject.image}.aside`;
      await rename(subject.image, aside);
      try {
        expect(await host.isReplaced(subject.image)).toBe(false);
        await writeFile(subject.image, '');
        expect(await host.isReplaced(subject.image)).toBe(subject.sees);
      } finally {
        await rename(aside, subject.image);
      }
      expect(await host.isReplaced('json:{}')).toBe(false);
      expect(await host.isReplaced(subject.image)).toBe(false);
    });

    test('says that a server is another QEMU’s only where that is seen', async () => {
      expect(await host.isAnothersServer(subject.qemu.qmpPath)).toBe(false);
      expect(await host.isAnothersServer(subject.qemu.file('nobody.sock'))).toBe(false);
      expect(await host.isAnothersServer(subject.other.qmpPath)).toBe(subject.sees);
    });

    test('freezes its guest for a work’s time, and thaws it whatever becomes of that', async () => {
      const { agent } = subject;
      const name = host.agentAddress(agent.socket);
      const done = await host.whileFrozen(name, async (stop, fileSystems) => {
        expect(agent.isFrozen()).toBe(true);
        expect(stop.aborted).toBe(false);
        return fileSystems + 1;
      });
      expect(done).toEqual({ value: 3, frozenFileSystems: 2 });
      expect(agent.isFrozen()).toBe(false);
      const failed = host.whileFrozen(name, () => Promise.reject(new RangeError('by the test')));
      await expect(failed).rejects.toThrow('by the test');
      expect(agent.isFrozen()).toBe(false);
      let began = false;
      const work = async (): Promise<void> => {
        began = true;
      };
      const aborted = host.whileFrozen(name, work, { signal: AbortSignal.abort() });
      expect(await refusalOf(aborted)).toMatchObject({ code: 'ERR_CBT_ABORTED' });
      // Somebody else's freeze is not ours to end.
      agent.freeze();
      expect(await refusalOf(host.whileFrozen(name, work))).toBeInstanceOf(CbtError);
      expect([began, agent.isFrozen()]).toEqual([false, true]);
      expect(await host.thawLeft(name)).toBe(true);
      expect(agent.isFrozen()).toBe(false);
      expect(await host.thawLeft(name)).toBe(false);
    });

    test('with its QEMU gone it says what it can, by codes, and takes no doubt for an answer', async () => {
      await using own = await make();
      const { host: left } = own;
      await own.qemu.kill();
      expect(await left.isOf({ key: left.key, vm: left.address })).toBe(true);
      expect(await left.isReplaced(own.image)).toBe(false);
      expect(await left.isAnothersServer(own.other.qmpPath)).toBe(false);
      expect([...(await left.pathsOf([own.relative.name]))]).toEqual([]);
      expect(await left.firstClosed(own.image)).toBeNull();
      expect(await left.has(own.image)).toBe(true);
      for (const ask of [
        () => left.placesToSearch(),
        () => left.riskOfTracking(),
        () => left.otherJob(),
        () => left.definition(),
        () => left.refuseMode('overlay'),
        () => left.namesOfDevices(['nobody']),
      ])
        await ask().catch((error: unknown) => expect(error, String(ask)).toBeInstanceOf(CbtError));
      const folder = await mkdtemp(join(await left.placeFor('fleece', []), 'cbt-'));
      await left.own(folder);
      expect((await lstat(folder)).mode & 0o077).toBe(0);
      await rm(folder, { recursive: true });
    });
  });
}
