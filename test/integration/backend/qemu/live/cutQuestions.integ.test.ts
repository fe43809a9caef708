/** A question whose connection to QEMU is lost, at whatever command: the same process asks again, and then nothing of either is left. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CbtError } from '../../../../../lib/core/errors.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { atEveryStep, someSteps } from '../../../../helpers/atEveryStep.js';
import { qemuImg, withFolder } from '../../../../helpers/qemuTools.js';
import { qmpFaults } from '../../../../helpers/qmpFaults.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';

const ALL = process.env['EVERY_STEP'] !== undefined;

test.each(['cut', 'unheard'] as const)('%s', (kind) =>
  withFolder(async (folder) => {
    const file = join(folder, 'a.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', file, '1M');
    await using daemon = await StorageDaemon.start({ disks: [{ node: 'a', file }] });
    const { control, qmpPath } = daemon.process;
    // The server is one of our own: nobody named one.
    const ask = async (): Promise<number> => {
      await using vm = await connectVm(qmpPath);
      await using disk = await vm.openDisk('a');
      return await (await disk.allocated()).changedBytes();
    };
    const nothing = await ask();
    const met = await atEveryStep(
      qmpFaults(kind),
      async () => undefined,
      ask,
      async ({ error, result }) => {
        if (error === undefined) expect(result).toBe(nothing);
        else expect(error).toBeInstanceOf(CbtError);
        expect(await ask()).toBe(nothing);
        expect(await control.execute('query-block-exports')).toEqual([]);
        // There is none of ours either.
        const addr = { type: 'unix', data: { path: daemon.nbdPath } };
        await control.execute('nbd-server-start', { addr });
        await control.execute('nbd-server-stop');
      },
      ALL ? {} : someSteps(9, 3 + kind === 'cut' ? 0 : 1),
    );
    expect(met).toBeGreaterThan(0);
  }),
);
