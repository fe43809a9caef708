/**
 * A session that is rolled back while somebody else's export holds the segment before its point in time: the point cannot be taken off
 * then, and nobody has a backup of it. So its record stays.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectVm } from '../../../lib/host/vm.js';
import { qemuImg, withFolder } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';

test('the next session is refused as long, then takes it off, and does not stand on it', () =>
  withFolder(async (folder) => {
    const image = join(folder, 'disk.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
    await using daemon = await StorageDaemon.start({ disks: [{ node: 'disk', file: image }] });
    const { control } = daemon.process;
    await daemon.exportWritable('disk');
    await using vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
    const enabled = await vm.enable();
    const folders = async (): Promise<string[]> =>
      (await readdir(folder)).filter((name) => name.startsWith('cbt-'));
    const scratch = { folder };
    const left = await vm.begin({ scratch });
    const nodes = (await control.execute('query-named-block-nodes', { flat: true })) as {
      'node-name': string;
      'dirty-bitmaps'?: { name?: string }[];
    }[];
    const bitmap = nodes
      .find((node) => node['node-name'] === 'disk')
      ?.['dirty-bitmaps']?.find(
        ({ name = '' }) => name.startsWith('cbt1.') && !name.endsWith(left.pit),
      )?.name;
    const theirs = { type: 'nbd', id: 'theirs', 'node-name': 'disk', name: 'theirs', bitmaps: [bitmap] };
    await control.execute('block-export-add', theirs);
    expect(await left.rollback()).toMatchObject({ disks: [{ error: { reason: 'BUSY' } }] });
    await expect(vm.begin({ scratch })).rejects.toMatchObject({ reason: 'BUSY' });
    const gone = control.waitEvent(({ event }) => event === 'BLOCK_EXPORT_DELETED');
    await control.execute('block-export-del', { id: 'theirs', mode: 'hard' });
    await gone;

    const next = await vm.begin({ scratch });
    expect(next.disks).toMatchObject([{ verdict: 'incremental', base: enabled.pit }]);
    await next.rollback();
    expect(await folders()).toEqual([]);
  }));
