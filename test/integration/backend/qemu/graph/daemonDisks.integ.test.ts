/** Disks of a storage daemon: it has no guest, so what is at the top of its graph, or exported, is a disk. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDisk, listDisks } from '../../../../../lib/backend/qemu/graph/vmDisks.js';
import { qmp } from '../../../../../lib/backend/qemu/qmp/commands.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await makeTemporaryFolder();
});
afterAll(() => folder.remove());

describe('disks of a storage daemon', () => {
  it('are the images at the top of the graph and the exported ones; never scratch of ours', async () => {
    const file = (name: string): string => join(folder.path, name);
    const create = (name: string, ...more: string[]) =>
      qemuImg('create', '-q', '-f', 'qcow2', ...more, file(name), '16M');
    await create('d1.qcow2');
    await create('d2.qcow2');
    await create('d2top.qcow2', '-b', file('d2.qcow2'), '-F', 'qcow2');
    await create('d3.qcow2');
    await create('sc.qcow2');
    await using daemon = await StorageDaemon.start({
      args: ['--object', 'throttle-group,id=tg,x-iops-total=1000'],
      disks: [
        { node: 'd1', file: file('d1.qcow2') },
        { node: 'd2', file: file('d2top.qcow2') },
        { node: 'd3', file: file('d3.qcow2') },
      ],
    });
    const c = daemon.process.control;
    await qmp(c, 'blockdev-add', {
      driver: 'throttle',
      'node-name': 'thr',
      'throttle-group': 'tg',
      file: 'd3',
    });
    await qmp(c, 'blockdev-add', {
      driver: 'qcow2',
      'node-name': 'cbt-s1',
      file: { driver: 'file', filename: file('sc.qcow2') },
      backing: 'd1',
    });
    const names = async () =>
      (await listDisks(c)).map((disk) => [disk.id, disk.formatNode, disk.layers?.length, disk.trackable]);
    const expected = [
      ['d1', 'd1', 1, true],
      ['d2', 'd2', 2, true],
      ['d3', 'd3', 1, true],
    ];
    expect((await names()).sort()).toEqual(expected);
    await daemon.exportWritable('d1', 'thr');
    // One that nothing is exported from is told, and why it is no disk now.
    expected[1] = ['d2', 'd2', 2, false];
    expect((await names()).sort()).toEqual(expected);
    expect((await listDisks(c)).find(({ id }) => id === 'd2')).toMatchObject({
      why: expect.stringContaining('no export leads to it'),
    });
    await qmp(c, 'blockdev-backup', { device: 'd1', target: 'cbt-s1', sync: 'none', 'job-id': 'cbt-j1' });
    expect((await names()).sort()).toEqual(expected);
    expect(await findDisk(await listDisks(c), 'thr')).toMatchObject({ id: 'd3', filtersAbove: ['thr'] });
    expect(await findDisk(await listDisks(c), file('d2top.qcow2'))).toMatchObject({ id: 'd2' });
  });

  it('are read-only, and then not trackable, when they were opened so', async () => {
    const file = join(folder.path, 'dro.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
    await using daemon = await StorageDaemon.start({
      disks: [{ node: 'dro', file, options: { 'read-only': true } }],
    });
    expect(await listDisks(daemon.process.control)).toMatchObject([
      { id: 'dro', trackable: false, why: 'its medium is read-only', persistentCapable: false },
    ]);
  });

  it('are none in an empty daemon', async () => {
    await using daemon = await StorageDaemon.start();
    expect(await listDisks(daemon.process.control)).toEqual([]);
  });
});
