/**
 * Two images of one session that changed names after QEMU ended: each has the session's point in time, empty and intact, and
 * neither overlay belongs to the image that has the name by now.
 */
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Vm } from '../../../../../lib/core/vm.js';
import { findImageLeftovers } from '../../../../../lib/host/imageLeftovers.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { qemuImg, qemuIo } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder } from '../../../../helpers/temporaryFolder.js';

test('an overlay is joined with the image of its own history alone, whatever that is called', async () => {
  const folder = await makeTemporaryFolder();
  try {
    const file = (name: string): string => join(folder.path, `${name}.qcow2`);
    for (const name of ['a', 'b']) await qemuImg('create', '-q', '-f', 'qcow2', file(name), '16M');
    const daemon = await StorageDaemon.start({
      disks: ['a', 'b'].map((node) => ({ node, file: file(node) })),
    });
    await daemon.exportWritable('a', 'b');
    const socket = daemon.process.file('qmp.sock');
    {
      await using vm = await connectVm(socket, { nbdSocket: daemon.nbdPath });
      await vm.enable();
      await vm.begin({ mode: 'overlay', detached: true, allowUnwatchedScratch: true });
      await daemon.guestIo('a', 'write -P 1 0 64k');
      await daemon.guestIo('b', 'write -P 2 0 64k');
    }
    await daemon.process.control.execute('quit');
    await daemon.process.ended;
    const exchange = async (): Promise<void> => {
      await rename(file('a'), file('t'));
      await rename(file('b'), file('a'));
      await rename(file('t'), file('b'));
    };
    // Sessions of others in the folder for temporary files, whose images are gone, are notes.
    const problems = async (...names: string[]) =>
      (await findImageLeftovers(names.map(file))).filter(({ problem }) => problem);
    await exchange();
    for (const name of ['a', 'b'])
      expect(await problems(name)).toMatchObject([
        { problem: true, mend: null, advice: expect.stringContaining('another disk by now') },
      ]);
    await exchange();
    const [left] = await problems('a');
    await left!.mend!.run();
    await qemuIo(['-f', 'qcow2', '-r', file('a')], 'read -P 1 0 64k');
    await qemuIo(['-f', 'qcow2', '-r', file('b')], 'read -P 2 0 64k');
    expect(await problems('a', 'b')).toEqual([]);
    await daemon[Symbol.asyncDispose]();
  } finally {
    await folder.remove();
  }
});

test('a session whose image has moved since is over when its point was rolled back there: its record goes', async () => {
  const folder = await makeTemporaryFolder();
  try {
    const file = (name: string): string => join(folder.path, `${name}.qcow2`);
    await qemuImg('create', '-q', '-f', 'qcow2', file('a'), '16M');
    const scratch = join(folder.path, 'scratch');
    await mkdir(scratch);
    const run = async <T>(name: string, work: (vm: Vm) => Promise<T>): Promise<T> => {
      await using daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: file(name) }] });
      await daemon.exportWritable('a');
      const nbdSocket = daemon.nbdPath;
      await using vm = await connectVm(daemon.process.file('qmp.sock'), { nbdSocket });
      const outcome = await work(vm);
      await daemon.process.control.execute('quit');
      await daemon.process.ended;
      return outcome;
    };
    const options = { scratch: { folder: scratch }, detached: true, allowUnwatchedScratch: true };
    const pit = await run('a', async (vm) => {
      await vm.enable();
      return (await vm.begin(options)).pit;
    });
    expect(await readdir(scratch)).toHaveLength(1);
    await rename(file('a'), file('moved'));
    await run('moved', async (vm) => {
      const session = await vm.begin(options);
      await using disk = await vm.openDisk('a');
      expect((await disk.pits()).pits.map(({ pit }) => pit)).not.toContain(pit);
      expect(await readdir(scratch)).toHaveLength(1);
      await session.commit();
    });
    expect(await readdir(scratch)).toEqual([]);
  } finally {
    await folder.remove();
  }
});
