/** Tracking started or started anew on a running QEMU, cancelled or refused at every step: a failure leaves no point in time. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { atEveryStep } from '../../../../helpers/atEveryStep.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { qmpFaults } from '../../../../helpers/qmpFaults.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  const disks = ['a', 'b'].map((node) => ({ node, file: join(folder.path, `${node}.qcow2`) }));
  for (const { file } of disks) await qemuImg('create', '-q', '-f', 'qcow2', file, '4M');
  daemon = await StorageDaemon.start({ disks });
  vm = await connectVm(daemon.process.qmpPath);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const points = async (name: string): Promise<string[]> => {
  await using disk = await vm.openDisk(name);
  return (await disk.pits()).pits.map(({ pit }) => pit);
};

test.each(['enable', 'reset'] as const)('%s cancelled at every command', async (what) => {
  const met = await atEveryStep(
    qmpFaults('cancelled'),
    async () => undefined,
    (_, signal) => vm[what]({ signal }),
    async ({ error }) => {
      if (error !== undefined) expect(error).toMatchObject({ code: 'ERR_CBT_ABORTED' });
      for (const name of ['a', 'b']) expect(await points(name)).toHaveLength(error === undefined ? 1 : 0);
      if (error === undefined) await vm.disable();
    },
  );
  expect(met).toBeGreaterThan(8);
});

test('somebody who takes the new bitmap away at once: what is left of the change goes too', async () => {
  const { control } = daemon.process;
  // Right after the transaction QEMU is asked what came of it.
  const real = control.execute.bind(control);
  let taken = false;
  const { QmpClient } = await import('../../../../../lib/backend/qemu/qmp/qmpClient.js');
  const execute = QmpClient.prototype.execute;
  vi.spyOn(QmpClient.prototype, 'execute').mockImplementation(async function (this: never, ...args) {
    const answer = await execute.apply(this, args);
    if (args[0] === 'transaction' && !taken) {
      taken = true;
      const nodes = (await real('query-named-block-nodes')) as {
        'node-name': string;
        'dirty-bitmaps'?: { name: string }[];
      }[];
      const [bitmap] = nodes.find((node) => node['node-name'] === 'b')?.['dirty-bitmaps'] ?? [];
      await real('block-dirty-bitmap-remove', { node: 'b', name: bitmap?.name });
    }
    return answer;
  });
  await expect(vm.enable()).rejects.toMatchObject({ code: 'ERR_CBT_TRACKING_LOST', disk: 'b' });
  for (const name of ['a', 'b']) expect(await points(name)).toEqual([]);
});
