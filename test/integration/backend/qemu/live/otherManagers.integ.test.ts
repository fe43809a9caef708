/** What other managers of the same QEMU may do in the middle of a session: it is refused, or the session's end is right, or says what is wrong. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tagOf } from '../../../../../lib/backend/qemu/own/ids.js';
import type { SessionMode } from '../../../../../lib/core/session.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { qemuImg as qemuImgIn } from '../../../../helpers/qemuProcess.js';
import { guestIo, hmp, startQemuSystem } from '../../../../helpers/qemuSystem.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const MiB = 2 ** 20;
const MODES: SessionMode[] = ['fleece', 'overlay'];
let folder: TemporaryFolder;
let image: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
});
afterEach(() => folder.remove());

describe('on a storage daemon', () => {
  let daemon: StorageDaemon;
  let vm: Vm;
  beforeEach(async () => {
    daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
    await daemon.exportWritable('a');
    vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
  });
  afterEach(async () => {
    await vm.close();
    await daemon[Symbol.asyncDispose]();
  });
  const begin = (mode: SessionMode) =>
    vm.begin({ mode, nbdSocket: daemon.nbdPath, scratch: { folder: folder.path } });
  const write = (byte: number, mebibyte: number): Promise<string> =>
    daemon.guestIo('a', `write -P ${byte} ${mebibyte}M 1M`, 'flush');
  const jobDone = async (id: string, states = ['concluded']): Promise<void> => {
    for (;;) {
      const jobs = (await daemon.process.control.execute('query-jobs')) as { id: string; status: string }[];
      if (states.includes(jobs.find((job) => job.id === id)?.status ?? '')) return;
    }
  };
  const left = async (): Promise<string[]> => {
    const nodes = (await daemon.process.control.execute('query-named-block-nodes')) as {
      'node-name': string;
    }[];
    const files = (await readdir(folder.path)).filter((name) => name.startsWith('cbt-'));
    return [...nodes.map((node) => node['node-name']).filter((name) => name.startsWith('cbt')), ...files];
  };

  test('block-stream makes the overlay stand by itself: the end puts it back on its image first', async () => {
    await write(1, 1);
    const first = await begin('overlay');
    await first.commit();
    await write(2, 2);
    const session = await begin('overlay');
    await write(3, 3);
    const device = `cbto-${tagOf(session.pit)}-0`;
    const { control } = daemon.process;
    await control.execute('block-stream', { 'job-id': 'stream', device, 'auto-dismiss': false });
    await jobDone('stream');
    await control.execute('job-dismiss', { id: 'stream' });
    await write(4, 4);
    await session.check();
    await session.commit();
    expect(await left()).toEqual([]);
    await using next = await begin('fleece');
    const disk = await next.openDisk('a');
    const changed = await (await disk.changes({ from: first.pit })).ranges();
    // What the stream copied counts as written: more than what changed, never less.
    expect(Array.from(changed)).toEqual([MiB, 4 * MiB]);
    await next.rollback();
    await vm.close();
    await daemon.process.terminate();
    const raw = join(folder.path, 'raw');
    await qemuImg('convert', '-O', 'raw', image, raw);
    const bytes = await readFile(raw);
    for (const mebibyte of [1, 2, 3, 4])
      expect(bytes.subarray(mebibyte * MiB, (mebibyte + 1) * MiB).every((b) => b === mebibyte)).toBe(true);
  });

  test('an internal snapshot of the overlay is not thrown away with it', async () => {
    const session = await begin('overlay');
    await write(3, 3);
    const device = `cbto-${tagOf(session.pit)}-0`;
    const { control } = daemon.process;
    await control.execute('blockdev-snapshot-internal-sync', { device, name: 'mine' });
    expect(await refusalOf(session.commit())).toMatchObject({
      reason: 'BUSY',
      message: expect.stringContaining('mine'),
    });
    await control.execute('blockdev-snapshot-delete-internal-sync', { device, name: 'mine' });
    await session.commit();
    expect(await left()).toEqual([]);
    await daemon.guestIo('a', 'read -P 3 3M 1M');
  });

  test.each(MODES)('a mirror takes the disk over: %s says that it has no point in time now', async (mode) => {
    const first = await begin(mode);
    await first.commit();
    const session = await begin(mode);
    await write(3, 3);
    const copy = join(folder.path, 'copy.qcow2');
    await qemuImgIn(['create', '-q', '-f', 'qcow2', copy, '16M']);
    const { control } = daemon.process;
    const file = { driver: 'file', filename: copy };
    await control.execute('blockdev-add', { driver: 'qcow2', 'node-name': 'copy', file });
    const device = mode === 'overlay' ? `cbto-${tagOf(session.pit)}-0` : 'a';
    const mirror = { 'job-id': 'm', device, target: 'copy', sync: 'full', 'auto-dismiss': false };
    const started = await control.execute('blockdev-mirror', mirror).catch((error: Error) => error.message);
    if (mode === 'fleece') {
      expect(started).toMatch(/in use|root block node/);
      await session.commit();
      return;
    }
    await jobDone('m', ['ready']);
    await control.execute('job-complete', { id: 'm' });
    await jobDone('m');
    await control.execute('job-dismiss', { id: 'm' });
    await write(4, 4);
    // Nothing was kept on any disk of it.
    expect((await refusalOf(session.commit())).disks).toHaveLength(1);
    expect(await left()).toEqual([]);
    await using next = await begin('fleece');
    expect(next.disks).toMatchObject([{ disk: 'copy', verdict: 'full', reason: 'NOT_RECORDING' }]);
  });

  test.each(MODES)('the NBD server that it uses is stopped: %s is not committed', async (mode) => {
    const first = await begin(mode);
    await first.commit();
    const session = await begin(mode);
    const { control } = daemon.process;
    await control.execute('nbd-server-stop');
    const broken = await refusalOf(session.commit());
    expect(broken).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      message: expect.stringMatching(/the export of a (is gone|was taken away)/),
    });
    await session.rollback();
    expect(await left()).toEqual([]);
    await daemon.exportWritable('a');
    await using next = await begin(mode);
    expect(next.disks).toMatchObject([{ verdict: 'incremental', base: first.pit }]);
  });
});

test('QEMU goes back to no internal snapshot of an image with points in time, running or not', async () => {
  const blockdev = { driver: 'qcow2', 'node-name': 'a', file: { driver: 'file', filename: image } };
  await qemuImg('snapshot', '-c', 'before', image);
  {
    await using qemu = await startQemuSystem([
      ...['-blockdev', JSON.stringify(blockdev)],
      ...['-device', 'virtio-blk-pci,id=disk,drive=a'],
    ]);
    expect(await hmp(qemu, 'savevm live')).toBe('');
    await using vm = await connectVm(qemu.qmpPath);
    await vm.enable();
    await guestIo(qemu, '/machine/peripheral/disk/virtio-backend', 'write -P 1 0 1M');
    expect(await hmp(qemu, 'loadvm live')).toContain('active dirty bitmaps');
    await qemu.terminate();
  }
  for (const name of ['before', 'live'])
    await expect(qemuImg('snapshot', '-a', name, image)).rejects.toThrow('active dirty bitmaps');
});
