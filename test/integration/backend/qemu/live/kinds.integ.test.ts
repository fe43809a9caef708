/** Zeroed and discarded areas are changes, told from data; live, in a session and from the image, alike. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChangeMap } from '../../../../../lib/core/changeMap.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const MIB = 2 ** 20;
const CLUSTER = 65_536;

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, 'a.qcow2'), '1T');
  daemon = await StorageDaemon.start({
    disks: [{ node: 'a', file: join(folder.path, 'a.qcow2'), options: { discard: 'unmap' } }],
  });
  await daemon.exportWritable('a');
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
});
afterEach(async () => {
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

async function kindsOf(map: ChangeMap): Promise<[number, number, 'zero' | 'data'][]> {
  const areas: [number, number, 'zero' | 'data'][] = [];
  for await (const { ranges, zero } of map.kinds())
    for (const [i, isZero] of zero.entries())
      areas.push([ranges[2 * i]!, ranges[2 * i + 1]!, isZero ? 'zero' : 'data']);
  return areas;
}

describe('kinds of changed areas', () => {
  test('a zeroed and a discarded area read as zeros; data between them is data', async () => {
    await daemon.guestIo('a', 'write -P 1 0 8M', 'write -P 1 900G 1M');
    const { pit } = await vm.enable();
    const from = pit!;
    await daemon.guestIo(
      'a',
      'write -P 2 0 64k',
      'write -z 64k 64k',
      'discard 128k 64k',
      'write -P 3 192k 4k',
      'discard 900G 1M',
      // Never held data: changed all the same.
      'write -z 500G 64k',
    );
    const expected = [
      [0, CLUSTER, 'data'],
      [CLUSTER, 2 * CLUSTER, 'zero'],
      [3 * CLUSTER, CLUSTER, 'data'],
      [500 * 1024 * MIB, CLUSTER, 'zero'],
      [900 * 1024 * MIB, MIB, 'zero'],
    ];
    const session = await vm.begin({ nbdSocket: daemon.nbdPath, scratch: { folder: folder.path } });
    // After the instant; it must not show.
    await daemon.guestIo('a', 'write -P 9 64k 128k', 'write -z 0 64k', 'write -P 9 900G 1M');
    const instant = await session.openDisk('a');
    expect(await kindsOf(await instant.changes({ from, kinds: true }))).toEqual(expected);
    expect(await kindsOf(await instant.changes({ from, kinds: true, start: CLUSTER + 512, max: 1 }))).toEqual(
      [
        [CLUSTER + 512, 2 * CLUSTER - 512, 'zero'],
        [3 * CLUSTER, CLUSTER, 'data'],
      ],
    );
    expect(
      (await kindsOf(await instant.changes({ from: '*', kinds: true }))).every(([, , k]) => k === 'data'),
    ).toBe(true);
    await session.commit();

    const after = [
      [0, CLUSTER, 'zero'],
      [CLUSTER, 2 * CLUSTER, 'data'],
      [900 * 1024 * MIB, MIB, 'data'],
    ];
    {
      await using now = await vm.openDisk('a');
      expect(await kindsOf(await now.changes({ from: session.pit, kinds: true }))).toEqual(after);
      const past = now.changes({ from, to: session.pit, kinds: true });
      expect(await refusalOf(past)).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT', disk: 'a' });
    }
    await vm.close();
    await daemon.process.terminate();
    await using image = await openDisk(join(folder.path, 'a.qcow2'));
    expect(await kindsOf(await image.changes({ from: session.pit, kinds: true }))).toEqual(after);
  });
});
