/** What a prune may take: never the last good state of a disk, a layer that anything stands on, or a point of another disk. */
import { copyFile, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { prune } from '../../../lib/backup/prune.js';
import { verify } from '../../../lib/backup/verify.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { openDisk } from '../../../lib/host/open.js';
import { ImageHolder } from '../../helpers/imageHolder.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { pretendVm } from './pretendVm.js';

let folder: TemporaryFolder;
let a: string;
let b: string;
let to: string;
let last = 0;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  to = join(folder.path, 'backups');
  a = await image('a');
  b = await image('b');
});
afterEach(() => folder.remove());

async function image(name: string): Promise<string> {
  const path = join(folder.path, `${name}.qcow2`);
  await qemuImg('create', '-q', '-f', 'qcow2', path, '1M');
  return path;
}
async function run(...paths: string[]): Promise<void> {
  last += 1;
  for (const path of paths)
    await qemuIo(['-f', 'qcow2', path], `write -P ${1 + (last % 255)} ${64 * (last % 16)}k 64k`);
  const { disks } = await backup(imagesSource(paths), { to });
  for (const disk of disks) if ('error' in disk) throw disk.error;
}
const points = async (path: string): Promise<string[]> => {
  await using disk = await openDisk(path);
  return (await disk.pits()).pits.map(({ pit }) => pit);
};
const runs = async (): Promise<number[]> =>
  (await BackupFolder.read(to)).runs.map(({ run: number }) => number);
async function exchange(): Promise<void> {
  const third = join(folder.path, 'third');
  await rename(a, third);
  await rename(b, a);
  await rename(third, b);
}

describe('points of pruned runs', () => {
  test('are forgotten on the disk of their history, whatever it is called', async () => {
    await run(a, b);
    const [pit = ''] = await points(a);
    await run(a);
    await new ImageTracking([a]).rollback((await points(a)).at(-1) ?? '');
    // Two runs of a build on run 1, which therefore stays for a, and goes for b.
    await run(a);
    await run(b);
    await exchange();
    const source = imagesSource([a, b]);
    const { forgotten, waiting } = await prune({ from: to, rules: { last: 1 }, source });
    expect(forgotten).toContainEqual(expect.objectContaining({ pit, disk: b }));
    expect(waiting).toEqual([]);
    expect(await points(a)).not.toContain(pit);
    expect(await points(b)).toContain(pit);
    await run(a, b);
    expect((await verify({ from: to })).problems).toEqual([]);
  });

  test('wait for their disk where another one is given, and are gone with a history that ended', async () => {
    await run(a, b);
    await run(a);
    await run(b);
    const first = await prune({ from: to, rules: { last: 1 }, source: imagesSource([b]) });
    expect(first.forgotten).toMatchObject([{ disk: b }]);
    expect(first.waiting).toMatchObject([{ disk: a }]);
    await new ImageTracking([a]).reset();
    const before = await points(a);
    const second = await prune({ from: to, rules: { last: 1 }, source: imagesSource([a]) });
    expect(second).toMatchObject({ forgotten: [{ disk: a }], waiting: [] });
    expect(await points(a)).toEqual(before);
    expect(await readdir(to)).not.toContain('forgotten.json');
  });

  test('are not looked for on a VM that the folder is not of', async () => {
    const vm = (uuid: string, path: string) => pretendVm({ uuid, disks: { drive0: path } });
    const one = vm('11111111-1111-4111-8111-111111111111', a);
    for (const _ of [1, 2]) await backup(one, { to });
    await refusalOf(
      prune({ from: to, rules: { last: 1 }, source: vm('22222222-2222-4222-8222-222222222222', b) }),
    );
    expect(await runs()).toEqual([1, 2]);
    expect((await prune({ from: to, rules: { last: 1 }, source: one })).forgotten).toHaveLength(1);
  });
});

describe('a run', () => {
  test('that is the last whole one of a disk stays, though a newer one is there', async () => {
    await run(a);
    await run(a);
    await rm(join(to, 'a-000002.qcow2'));
    const { disks } = await backup(imagesSource([a]), { to });
    expect(disks).toMatchObject([{ verdict: 'incremental', base: { run: 1 } }]);
    await rm(join(to, 'a-000003.qcow2'));
    await prune({ from: to, rules: { last: 1 } });
    expect(await runs()).toEqual(expect.arrayContaining([1, 3]));
  });

  test('on which a layer without a manifest builds stays, its own layer with it', async () => {
    await run(a);
    await run(a);
    await mkdir(join(folder.path, 'away'));
    await rename(join(to, 'run-000002.json'), join(folder.path, 'away', 'run-000002.json'));
    await backup(imagesSource([a]), { to, full: true });
    const { layers } = await prune({ from: to, rules: { last: 1 } });
    expect(layers).toMatchObject([
      { run: 1, action: 'kept', because: expect.stringContaining('a-000002.qcow2') },
    ]);
    await rename(join(folder.path, 'away', 'run-000002.json'), join(to, 'run-000002.json'));
    expect((await verify({ from: to })).problems).toEqual([]);
  });

  // The last whole run of a disk stays as a whole.
  test('whose layers are damaged keeps no other disk from being pruned, and is told', async () => {
    for (const _ of [1, 2, 3]) await run(a, b);
    const broken = join(to, 'a-000002.qcow2');
    await copyFile(join(to, 'a-000001.qcow2'), broken);
    expect(await refusalOf(prune({ from: to, rules: { last: 1 } }))).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
    });
    const { runs: left } = await BackupFolder.read(to);
    expect(left.map(({ disks }) => disks.map(({ key }) => key))).toEqual([['a', 'b'], ['a'], ['a', 'b']]);
    expect((await readFile(broken)).equals(await readFile(join(to, 'a-000001.qcow2')))).toBe(true);
  });

  test('whose layer somebody uses as a disk stays', async () => {
    await run(a);
    await backup(imagesSource([a]), { to, full: true });
    const holder = await ImageHolder.hold(join(to, 'a-000001.qcow2'), 'io ro');
    try {
      expect((await prune({ from: to, rules: { last: 1 } })).layers).toMatchObject([
        { run: 1, action: 'kept', because: expect.stringMatching(/qemu-io \(process \d+\) has it open/) },
      ]);
    } finally {
      await holder.release();
    }
    expect(await runs()).toEqual([1, 2]);
    await prune({ from: to, rules: { last: 1 } });
    expect(await runs()).toEqual([2]);
  });
});
