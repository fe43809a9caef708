/** What somebody takes away while a session begins, at every step of it: it stands, or nothing of it is left, its point in time least of all. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import type { Session, SessionMode } from '../../../../../lib/core/session.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let scratch: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  scratch = await makeTemporaryFolder();
  const file = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file }] });
  await daemon.exportWritable('a');
  vm = await connectVm(daemon.process.qmpPath);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  for (const place of [folder, scratch]) await place.remove();
});

const begin = (mode: SessionMode): Promise<Session> =>
  vm.begin({ mode, nbdSocket: daemon.nbdPath, scratch: { folder: scratch.path } });

/** Does it before the n-th command of the product is sent; gives how many were. */
function before(n: number, act: () => unknown): () => number {
  let sent = 0;
  const { execute } = QmpClient.prototype;
  const spy = vi.spyOn(QmpClient.prototype, 'execute').mockImplementation(async function (
    this: QmpClient,
    ...args
  ) {
    if (this !== daemon.process.control) {
      sent += 1;
      if (sent === n) await act();
    }
    return execute.apply(this, args);
  });
  return () => {
    spy.mockRestore();
    return sent;
  };
}

const FAULTS: [string, () => unknown][] = [
  [
    'the session’s folder',
    () => {
      for (const name of readdirSync(scratch.path)) rmSync(join(scratch.path, name), { recursive: true });
    },
  ],
  ['the NBD server', () => daemon.process.control.execute('nbd-server-stop').catch(() => undefined)],
];

describe.each(['fleece', 'overlay'] as const)('%s', (mode) => {
  test.each(FAULTS)('%s is taken away', async (what, takeAway) => {
    const first = await begin(mode);
    await first.commit();
    let failed = 0;
    for (let n = 1; ; n += 1) {
      const sent = before(n, takeAway);
      const begun = await begin(mode).catch((error: unknown) => error);
      const through = sent() < n;
      if (begun instanceof Error) failed += 1;
      else await (begun as Session).rollback();
      if (what.includes('server') && !through) await daemon.exportWritable('a');
      const nodes = (await daemon.process.control.execute('query-named-block-nodes')) as {
        'node-name': string;
      }[];
      const left = nodes.map((node) => node['node-name']).filter((name) => name.startsWith('cbt'));
      expect(left, `command ${n}`).toEqual([]);
      expect(readdirSync(scratch.path), `command ${n}`).toEqual([]);
      if (through) break;
      if (n % 4 !== 0) continue;
      await using next = await begin(mode);
      expect(next.disks, `command ${n}`).toMatchObject([{ verdict: 'incremental', base: first.pit }]);
    }
    expect(failed).toBeGreaterThan(3);
    await daemon.guestIo('a', 'write -P 1 0 64k');
  });
});
