/**
 * Sessions on a QEMU that somebody else looks at all the time through another monitor, as libvirt does for its statistics. An
 * image that is half open must never be there to be seen: QEMU before 8.0 aborts over one.
 */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

/** Far more than it takes: with images formatted by QEMU 7.2 itself the first session was its last. */
const SESSIONS = 5;
/** Questions under way at a time. */
const AT_ONCE = 8;

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  const disks = ['a', 'b', 'c', 'd'].map((node) => ({ node, file: join(folder.path, `${node}.qcow2`) }));
  for (const { file } of disks) await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
  daemon = await StorageDaemon.start({ disks });
  await daemon.exportWritable(...disks.map(({ node }) => node));
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

test.each(['fleece', 'overlay'] as const)('%s: begun and ended again and again, QEMU lives', async (mode) => {
  const { control } = daemon.process;
  let watching = true;
  let seen = 0;
  const watch = async (): Promise<void> => {
    for (; watching; seen += 1) await control.execute('query-named-block-nodes', { flat: true });
  };
  const watchers = Promise.allSettled(Array.from({ length: AT_ONCE }, watch));
  try {
    for (let n = 0; n < SESSIONS; n += 1) {
      const session = await vm.begin({ mode, scratch: { folder: folder.path } });
      await session.rollback();
    }
  } finally {
    watching = false;
    await watchers;
  }
  for (const watcher of await watchers) expect(watcher).toMatchObject({ status: 'fulfilled' });
  expect(seen).toBeGreaterThan(SESSIONS);
});
