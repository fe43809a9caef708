/**
 * kill -9 of our process before each command it sends to QEMU, from the connection to the end of a session. The guest writes
 * on, and whoever comes next finds the chain whole: nothing that changed since the last committed point is lost.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PointName } from '../../../../../lib/core/ids.js';
import type { SessionMode } from '../../../../../lib/core/session.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { DoomedSessions } from '../../../../helpers/doomedSession.js';
import { GuestWriter } from '../../../../helpers/guestWriter.js';
import type { QemuProcess } from '../../../../helpers/qemuProcess.js';
import { guestIo, startQemuSystem } from '../../../../helpers/qemuSystem.js';
import { makeTemporaryFolder, qemuImg, type TemporaryFolder } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';

/** Every how many commands the process is killed; `npm run torture` takes each one. */
const EVERY = Number(process.env['KILL_EVERY'] ?? 8);

let folder: TemporaryFolder;
let scratch: TemporaryFolder;
let doomed: DoomedSessions;
beforeAll(async () => {
  folder = await makeTemporaryFolder();
  scratch = await makeTemporaryFolder();
  doomed = await DoomedSessions.build();
});
afterAll(async () => {
  await folder.remove();
  await scratch.remove();
  await doomed[Symbol.asyncDispose]();
});

interface Guest {
  process: QemuProcess;
  nbdSocket: string | undefined;
  /** A write to another megabyte every time. */
  write(mebibyte: number): Promise<void>;
}

/** Kills at every step; gives how many kills it took to get through. */
async function killEverywhere(guest: Guest, mode: SessionMode): Promise<number> {
  const { qmpPath: socket } = guest.process;
  const { nbdSocket } = guest;
  const options = { ...(nbdSocket && { nbdSocket }), scratch: { folder: scratch.path } };
  const withVm = async <T>(use: (vm: Vm) => Promise<T>): Promise<T> => {
    await using vm = await connectVm(socket, nbdSocket === undefined ? {} : { nbdSocket });
    return await use(vm);
  };
  const from = await withVm(async (vm) => {
    const session = await vm.begin(options);
    await session.commit();
    return session.pit;
  });
  let kills = 0;
  const since: number[] = [];
  let base: PointName = from;
  for (let commands = 1; ; commands += EVERY) {
    const mebibyte = kills % 48;
    await guest.write(mebibyte);
    since.push(mebibyte);
    if (!(await doomed.run({ socket, nbdSocket, scratch: scratch.path, from, commands, mode }))) return kills;
    kills += 1;
    await guest.write(48);
    await withVm(async (vm) => {
      await using session = await vm.begin(options);
      // Killed at the very end, the session may have been committed: then its point is the base.
      expect(session.disks[0], `killed at command ${commands}`).toMatchObject({ verdict: 'incremental' });
      const found = session.disks[0]!.base!;
      if (found !== base) {
        base = found;
        since.length = 0;
      }
      const disk = await session.openDisk(session.disks[0]!.disk);
      const ranges = await (await disk.changes({ from: base })).ranges();
      for (const wanted of [...since, 48]) {
        const offset = wanted * 2 ** 20;
        const covered = Array.from({ length: ranges.length / 2 }).some(
          (_, i) => ranges[2 * i]! <= offset && ranges[2 * i]! + ranges[2 * i + 1]! >= offset + 4096,
        );
        expect(covered, `MiB ${wanted}, killed at command ${commands}`).toBe(true);
      }
      await session.rollback();
      const names = (await guest.process.control.execute('query-named-block-nodes')) as {
        'node-name': string;
      }[];
      expect(names.filter((node) => node['node-name'].startsWith('cbt'))).toEqual([]);
      expect(await readdir(scratch.path)).toEqual([]);
    });
  }
}

describe.each(['fleece', 'overlay'] as const)('our process killed at any command to QEMU, %s', (mode) => {
  test('under a guest that writes all the time', async () => {
    const file = join(folder.path, 'a.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', file, '64M');
    await using daemon = await StorageDaemon.start({ disks: [{ node: 'a', file }] });
    await daemon.exportWritable('a');
    const writer = await GuestWriter.start(daemon.nbdPath, 'a', {
      zoneBytes: 56 << 20,
      pages: 64,
      seed: 8,
      restMs: 2,
    });
    try {
      const kills = await killEverywhere(
        {
          process: daemon.process,
          nbdSocket: daemon.nbdPath,
          write: async (mebibyte) => void (await daemon.guestIo('a', `write -P 1 ${mebibyte}M 4k`)),
        },
        mode,
      );
      expect(kills).toBeGreaterThan(8);
    } finally {
      await writer.stop();
    }
    expect(writer.failed).toBeNull();
  });

  test('with an NBD server of the session’s own', async () => {
    const file = join(folder.path, 'b.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', file, '64M');
    const blockdev = { driver: 'qcow2', 'node-name': 'b', file: { driver: 'file', filename: file } };
    await using vm = await startQemuSystem([
      '-blockdev',
      JSON.stringify(blockdev),
      '-device',
      'virtio-blk-pci,id=disk,drive=b',
    ]);
    const kills = await killEverywhere(
      {
        process: vm,
        nbdSocket: undefined,
        write: (mebibyte) =>
          guestIo(vm, '/machine/peripheral/disk/virtio-backend', `write -P 1 ${mebibyte}M 4k`),
      },
      mode,
    );
    expect(kills).toBeGreaterThan(8);
  });
});
