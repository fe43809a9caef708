/** A session whose QEMU is gone, and whose point in time alone tells that the disk shrank: tracking ends with it (ADR 4). */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findImageLeftovers } from '../../../lib/host/imageLeftovers.js';
import { openDisk } from '../../../lib/host/open.js';
import { connectVm } from '../../../lib/host/vm.js';
import { qemuImg, withFolder } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';

const MiB = 2 ** 20;

test('is ended at the first try: its files go, and its point', () =>
  withFolder(async (folder) => {
    const image = join(folder, 'disk.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, String(4 * MiB));
    await using daemon = await StorageDaemon.start({ disks: [{ node: 'disk', file: image }] });
    const vm = await connectVm(daemon.process.qmpPath);
    await vm.enable();
    await daemon.process.control.execute('block_resize', { 'node-name': 'disk', size: 2 * MiB });
    await vm.begin({ scratch: { folder }, detached: true });
    await vm.close();
    await daemon.process.terminate();

    const [left] = await findImageLeftovers([image], { scratchFolder: folder });
    expect(left?.mend).toBeDefined();
    await left?.mend?.run();

    expect(await readdir(folder)).toEqual(['disk.qcow2']);
    await using disk = await openDisk(image);
    const { state, pits } = await disk.pits();
    expect({ state, pits }).toEqual({ state: 'untracked', pits: [] });
  }));
