/** Disks in I/O threads, on a QEMU that dies of a reader's goodbye: told apart, refused, and the reason shown. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  endsClientsInMainThread,
  requireSafeExport,
} from '../../../../../lib/backend/qemu/graph/ioThreads.js';
import { findDisk, listDisks } from '../../../../../lib/backend/qemu/graph/vmDisks.js';
import { findSessions } from '../../../../../lib/backend/qemu/own/sessionParts.js';
import type { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import { beginSession } from '../../../../../lib/backend/qemu/session/begin.js';
import { type QemuProcess, qemuImg, run } from '../../../../helpers/qemuProcess.js';
import { startQemuSystem } from '../../../../helpers/qemuSystem.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const DISKS = ['blk', 'blk-io', 'scsi', 'scsi-io', 'ide', 'legacy'];

let folder: TemporaryFolder;
let vm: QemuProcess;
let client: QmpClient;

const file = (name: string): string => path.join(folder.path, `${name}.qcow2`);
const node = (name: string): string[] => [
  '-blockdev',
  JSON.stringify({ driver: 'qcow2', 'node-name': name, file: { driver: 'file', filename: file(name) } }),
];

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  for (const name of DISKS) await qemuImg(['create', '-q', '-f', 'qcow2', file(name), '1M']);
  vm = await startQemuSystem([
    ...['-object', 'iothread,id=io-0', '-device', 'virtio-scsi-pci,id=ctl0'],
    ...['-device', 'virtio-scsi-pci,id=ctl1,iothread=io-0'],
    ...[...node('blk'), '-device', 'virtio-blk-pci,drive=blk'],
    ...[...node('blk-io'), '-device', 'virtio-blk-pci,drive=blk-io,id=d0,iothread=io-0'],
    ...[...node('scsi'), '-device', 'scsi-hd,drive=scsi,bus=ctl0.0'],
    ...[...node('scsi-io'), '-device', 'scsi-hd,drive=scsi-io,id=d1,bus=ctl1.0'],
    ...[...node('ide'), '-device', 'ide-hd,drive=ide'],
    ...['-drive', `file=${file('legacy')},if=virtio,format=qcow2,node-name=legacy`],
  ]);
  client = await vm.connect();
});
afterAll(async () => {
  await client?.close();
  await vm?.[Symbol.asyncDispose]();
  await folder.remove();
});

const require = async (of: QmpClient, name: string): Promise<void> => {
  const disk = await findDisk(await listDisks(of), name);
  if (!disk.trackable) throw new Error(disk.why);
  await requireSafeExport(of, disk);
};

// On QEMU 8.2.3, 9.0 and newer nothing needs refusing; what is expected here is expected of older ones.
describe('a disk in an I/O thread', () => {
  const refusal = { code: 'ERR_CBT_UNSUPPORTED', message: expect.stringContaining('8.2.3') };

  test('is told from the others, whatever device it is', async () => {
    const refused: string[] = [];
    for (const name of DISKS) {
      await require(client, name).catch((error: Error) => {
        expect(error).toMatchObject({ ...refusal, details: { ioThread: '/objects/io-0' } });
        refused.push(name);
      });
    }
    expect(refused).toEqual(endsClientsInMainThread(client.version) ? [] : ['blk-io', 'scsi-io']);
  });

  test('takes no part in a session, and spoils it for no other', async () => {
    if (endsClientsInMainThread(client.version)) return;
    const begin = (disks: string[]) =>
      beginSession(client, () => Promise.reject(new Error('no disk is opened here')), {
        disks,
        scratch: { folder: folder.path },
      });
    expect(await refusalOf(begin(['blk-io', 'scsi-io']))).toMatchObject(refusal);
    expect(await findSessions(client)).toEqual(new Map());
    await using session = await begin(['blk', 'blk-io']);
    expect(session.disks).toMatchObject([{ verdict: 'full' }, { error: refusal }]);
    await session.commit();
  });

  test('is assumed in a storage daemon that has such threads, whose exports may be in any', async () => {
    const disks = [{ node: 'n', file: file('n') }];
    await qemuImg(['create', '-q', '-f', 'qcow2', file('n'), '1M']);
    for (const [args, refused] of [
      [['--object', 'iothread,id=io-1'], true],
      [[], false],
    ] as const) {
      await using daemon = await StorageDaemon.start({ args, disks });
      await using own = await daemon.process.connect();
      const asked = require(own, 'n');
      if (refused && !endsClientsInMainThread(own.version))
        expect(await refusalOf(asked)).toMatchObject(refusal);
      else await asked;
    }
  });

  test('kills its QEMU when a reader disconnects: why all this is needed', async () => {
    await qemuImg(['create', '-q', '-f', 'qcow2', file('k'), '1M']);
    await using daemon = await StorageDaemon.start({
      args: ['--object', 'iothread,id=io-1'],
      disks: [{ node: 'k', file: file('k') }],
    });
    const { control } = daemon.process;
    await control.execute('nbd-server-start', { addr: { type: 'unix', data: { path: daemon.nbdPath } } });
    const exported = { type: 'nbd', id: 'k', 'node-name': 'k', name: 'k', iothread: 'io-1' };
    await control.execute('block-export-add', exported);
    await run('nbdinfo', ['--size', `nbd+unix:///k?socket=${daemon.nbdPath}`]);
    // Version-dependent: 7.2.14 to 8.2.2 and distributions' builds with the same repair. A mended one lives, and says so.
    const { qemu } = control.version!;
    if (qemu.major === 7 && qemu.minor === 2 && qemu.micro >= 14) {
      const { signal, stderr } = await daemon.process.ended;
      expect(signal).toBe('SIGABRT');
      expect(stderr).toContain('qemu_in_main_thread');
    } else if (endsClientsInMainThread(control.version)) {
      await control.execute('query-block-exports');
    }
  });
});
