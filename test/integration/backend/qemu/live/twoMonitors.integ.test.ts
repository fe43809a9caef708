/** Two programs on two monitors of one QEMU: at most one session at a time, and what one of them left does not stop the other. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { ownMark } from '../../../../../lib/linux/processMark.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let scratch: TemporaryFolder;
let daemon: StorageDaemon;
let vms: Vm[];
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  scratch = await makeTemporaryFolder();
  const file = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
  const second = join(folder.path, 'second.sock');
  daemon = await StorageDaemon.start({
    disks: [{ node: 'a', file }],
    args: [
      ...['--chardev', `socket,id=second,path=${second},server=on,wait=off`],
      ...['--monitor', 'chardev=second'],
    ],
  });
  vms = [await connectVm(daemon.process.qmpPath), await connectVm(second)];
});
afterEach(async () => {
  for (const vm of vms) await vm.close();
  await daemon[Symbol.asyncDispose]();
  for (const place of [folder, scratch]) await place.remove();
});

test.each(['fleece', 'overlay'] as const)('%s sessions begun at once, with one NBD server', async (mode) => {
  await daemon.exportWritable('a');
  const begin = (vm: Vm) => vm.begin({ mode, nbdSocket: daemon.nbdPath, scratch: { folder: scratch.path } });
  const first = await begin(vms[0]!);
  await first.commit();
  for (let round = 0; round < 8; round += 1) {
    const begun = await Promise.allSettled(vms.map(begin));
    const open = begun.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(open.length, `round ${round}`).toBeLessThanOrEqual(1);
    for (const session of open) {
      await session.check();
      expect(session.disks).toMatchObject([{ verdict: 'incremental', base: first.pit }]);
      await session.rollback();
    }
    expect(await readdir(scratch.path)).toEqual([]);
  }
  await using next = await begin(vms[1]!);
  expect(next.disks).toMatchObject([{ verdict: 'incremental', base: first.pit }]);
});

test('the server of a question whose process and folder are gone is stopped by whoever needs one', async () => {
  const [vm] = vms;
  const hash = createHash('sha256').update(daemon.process.qmpPath).digest('hex').slice(0, 8);
  const left = join(tmpdir(), `cbt-q-${(await ownMark()).slice(0, 8)}00000000-${hash}-abcdef`);
  await mkdir(left, { mode: 0o700 });
  const path = join(left, 'nbd.sock');
  await daemon.process.control.execute('nbd-server-start', { addr: { type: 'unix', data: { path } } });
  await rm(left, { recursive: true });
  const session = await vm!.begin({ scratch: { folder: scratch.path } });
  await session.commit();
});
