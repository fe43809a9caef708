/**
 * A running QEMU and, after its clean stop, the image alone give the same map: segments of different granularity, merged by a
 * forget, bitmaps of others, and an overlay that somebody else put on top.
 */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CbtError } from '../../../../../lib/core/errors.js';
import { formatSegmentName } from '../../../../../lib/core/segmentName.js';
import type { TrackedDisk } from '../../../../../lib/core/trackedDisk.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const SIZE = 64 * 2 ** 20 + 1536;
const EPOCH = 'aaaaaaaa-0000-4000-8000-00000000000a';
const pit = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`;

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;
const image = (name: string): string => join(folder.path, `${name}.qcow2`);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', image('a'), String(SIZE));
  daemon = await StorageDaemon.start({
    disks: [{ node: 'a', file: image('a'), options: { discard: 'unmap' } }],
  });
  await daemon.exportWritable('a');
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
});
afterEach(async () => {
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const execute = (command: string, args: object): Promise<unknown> =>
  daemon.process.control.execute(command, args);

/** A bitmap as our own would be, but of any granularity. */
async function addSegment(n: number, granularity: number): Promise<void> {
  const name = formatSegmentName({ epoch: EPOCH, first: n, last: n, sizeBytes: SIZE, pit: pit(n) });
  await execute('block-dirty-bitmap-add', { node: 'a', name, granularity, persistent: true });
  if (n === 1) return;
  const before = formatSegmentName({
    epoch: EPOCH,
    first: n - 1,
    last: n - 1,
    sizeBytes: SIZE,
    pit: pit(n - 1),
  });
  await execute('block-dirty-bitmap-disable', { node: 'a', name: before });
}

type Question = { from: string; to?: string };

async function answers(disk: TrackedDisk, questions: readonly Question[]): Promise<unknown[]> {
  const told: unknown[] = [];
  for (const question of questions) {
    const answer = await disk.changes(question).then(
      async (map) => ({ granularityBytes: map.granularityBytes, ranges: Array.from(await map.ranges()) }),
      ({ code, reason }: CbtError) => ({ code, reason }),
    );
    told.push({ question, answer });
  }
  return told;
}

/** What QEMU tells, and the image after a clean stop; both must be the same. */
async function liveThenOffline(top: string, questions: readonly Question[]): Promise<unknown[]> {
  let live: unknown[];
  {
    await using disk = await vm.openDisk(top);
    live = await answers(disk, questions);
  }
  await vm.close();
  expect((await daemon.process.terminate()).code).toBe(0);
  // What the images are is known here: an overlay's word about the image below it holds.
  await using disk = await openDisk(image(top), { format: 'qcow2' });
  expect(await answers(disk, questions)).toEqual(live);
  return live;
}

describe('the same map, live and from the image', () => {
  test('of segments of three granularities, two of them merged, and bitmaps of others', async () => {
    const foreign = '{DDDDDDDD-0000-4000-8000-00000000000D}';
    await execute('block-dirty-bitmap-add', { node: 'a', name: foreign, granularity: 512, persistent: true });
    await execute('block-dirty-bitmap-add', { node: 'a', name: 'theirs', persistent: true });
    await addSegment(1, 512);
    await daemon.guestIo('a', 'write -P 1 3584 512', 'write -P 1 1M 512');
    await addSegment(2, 131_072);
    await daemon.guestIo('a', 'write -P 2 8M 512', `write -P 2 ${SIZE - 512} 512`);
    await addSegment(3, 4096);
    await daemon.guestIo('a', 'write -z 16M 4k', 'discard 1M 64k');
    await addSegment(4, 65_536);
    await daemon.guestIo('a', 'write -P 4 32M 512');
    await vm.forget(pit(3));
    const points = [1, 2, 3, 4].map(pit);
    const told = await liveThenOffline('a', [
      ...points.flatMap((from) => [{ from }, ...points.map((to) => ({ from, to }))]),
      { from: foreign },
      { from: 'theirs' },
    ]);
    expect(told).toContainEqual({
      question: { from: pit(1), to: pit(2) },
      answer: { granularityBytes: 512, ranges: [3584, 512, 1 << 20, 512] },
    });
    expect(told).toContainEqual({
      question: { from: pit(2), to: pit(4) },
      // The last granule ends with the disk.
      answer: {
        granularityBytes: 131_072,
        ranges: [1 << 20, 131_072, 8 << 20, 131_072, 16 << 20, 131_072, 64 << 20, 1536],
      },
    });
    expect(told).toContainEqual({
      question: { from: pit(3) },
      answer: { code: 'ERR_CBT_UNKNOWN_PIT', reason: 'UNKNOWN_PIT' },
    });
  });

  test('below an overlay of somebody else: what it took counts as changed', async () => {
    const first = (await vm.enable()).pit!;
    await daemon.guestIo('a', 'write -P 1 1M 64k');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', image('a'), '-F', 'qcow2', image('over'));
    const file = { driver: 'file', filename: image('over') };
    await execute('blockdev-add', { driver: 'qcow2', 'node-name': 'over', file, backing: null });
    await execute('blockdev-snapshot', { node: 'a', overlay: 'over' });
    await daemon.guestIo('a', 'write -P 2 8M 64k', 'write -z 1M 64k');
    const told = await liveThenOffline('over', [{ from: first }]);
    expect(told).toMatchObject([{ answer: { ranges: [1 << 20, 65_536, 8 << 20, 65_536] } }]);
  });
});
