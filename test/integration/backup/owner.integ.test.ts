/** Whose folder it is, and which disk is which in it: by UUID, history and image, never by names alone. */
import { copyFile, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import type { BackupOptions } from '../../../lib/backup/backupOptions.js';
import { estimate } from '../../../lib/backup/estimate.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { type DiskRun, formatManifest } from '../../../lib/backup/manifest.js';
import { MARK_NAME } from '../../../lib/backup/mark.js';
import { manifestName } from '../../../lib/backup/names.js';
import { prune } from '../../../lib/backup/prune.js';
import { restore } from '../../../lib/backup/restore.js';
import type { BackupSource } from '../../../lib/backup/source.js';
import { verify } from '../../../lib/backup/verify.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { pretendVm } from './pretendVm.js';

const ONE = '11111111-1111-4111-8111-111111111111';
const TWO = '22222222-2222-4222-8222-222222222222';

let folder: TemporaryFolder;
let to: string;
let last: number;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  to = join(folder.path, 'backups');
  last = 0;
});
afterEach(() => folder.remove());

async function image(name: string): Promise<string> {
  const path = join(folder.path, `${name}.qcow2`);
  await qemuImg('create', '-q', '-f', 'qcow2', path, '1M');
  await write(path);
  return path;
}
/** Something new on the disk. */
async function write(path: string): Promise<void> {
  last += 1;
  await qemuIo(['-f', 'qcow2', path], `write -P ${last} ${64 * (last % 16)}k 64k`);
}
/** A run, which the estimate has to foretell and which has to restore to what the disks hold. */
async function run(source: BackupSource, options: Partial<BackupOptions> = {}): Promise<DiskRun[]> {
  const told = await estimate(source, { to, ...options });
  const { disks, warnings, run: number } = await backup(source, { to, ...options });
  // What QEMU thinks of a file is for its owner to know.
  expect(warnings.filter((warning) => !warning.startsWith('QEMU said:'))).toEqual([]);
  const layers = disks.map((disk) => {
    if ('error' in disk) throw disk.error;
    return disk;
  });
  for (const { disk, verdict, base } of layers)
    expect(told).toContainEqual(expect.objectContaining({ disk, verdict, base }));
  const restored = join(folder.path, 'restored.raw');
  for (const { disk, image: path } of layers) {
    await restore({ from: to, at: { run: number ?? 0 }, disk, to: restored, force: true });
    await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', path ?? '', join(folder.path, 'now.raw'));
    const now = await readFile(join(folder.path, 'now.raw'));
    expect((await readFile(restored)).equals(now), `${disk} of run ${number}`).toBe(true);
  }
  return layers;
}
const off = (...paths: string[]) => imagesSource(paths);
const series = async (): Promise<number> => {
  const read = await BackupFolder.read(to);
  return new Set(read.runs.flatMap(({ disks }) => disks.map((disk) => read.seriesOf(disk)))).size;
};
/** The folder as the first version wrote it. */
async function toFirstVersion(): Promise<void> {
  const { runs } = await BackupFolder.read(to);
  for (const { source, ...manifest } of runs) {
    const { owner: _, ...facts } = source;
    const disks = manifest.disks.map(
      ({ series: _1, image: _2, sequence: _3, fileBytes: _4, ...rest }) => rest,
    );
    const text = formatManifest({ ...manifest, version: 1, source: facts, disks });
    await writeFile(join(to, manifestName(manifest.run)), text);
  }
  await rm(join(to, MARK_NAME));
}

describe('a folder', () => {
  test('of one VM refuses another, says who is who, and changes nothing', async () => {
    const [a, b] = [await image('a'), await image('b')];
    await run(pretendVm({ uuid: ONE, name: 'web', disks: { drive0: a } }));
    const before = await readdir(to);
    const other = pretendVm({ uuid: TWO, name: 'web', disks: { drive0: b } });
    const error = await refusalOf(backup(other, { to }));
    expect(error).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
    for (const part of [ONE, TWO, '--adopt']) expect(error.message).toContain(part);
    expect(await refusalOf(estimate(other, { to }))).toMatchObject({ message: error.message });
    expect(await readdir(to)).toEqual(before);
    // By name it would have been the same disk, on whose layers it was built.
    expect(await run(other, { adopt: true })).toMatchObject([{ verdict: 'full', key: 'drive0_2' }]);
    await write(b);
    expect(await run(other)).toMatchObject([{ verdict: 'incremental', base: { run: 2 } }]);
    await prune({ from: to, rules: { last: 1 } });
    expect((await BackupFolder.read(to)).runs.map(({ run: number }) => number)).toEqual([1, 3]);
  });

  test('of a VM takes its disks by their paths while it is off, and the VM again', async () => {
    const a = await image('a');
    const vm = pretendVm({ uuid: ONE, name: null, disks: { drive0: a } });
    await run(vm);
    await write(a);
    expect(await run(off(a))).toMatchObject([{ verdict: 'incremental', key: 'drive0' }]);
    await write(a);
    expect(await run(vm)).toMatchObject([{ verdict: 'incremental', base: { run: 2 } }]);
    expect(await series()).toBe(1);
  });

  test('that was begun with images belongs to the VM that has them', async () => {
    const [a, b] = [await image('a'), await image('b')];
    await run(off(a));
    await run(pretendVm({ uuid: ONE, disks: { drive0: a } }));
    expect((await BackupFolder.read(to)).mark?.owners).toMatchObject([{ kind: 'vm', uuid: ONE }]);
    await refusalOf(backup(pretendVm({ uuid: TWO, disks: { drive0: a } }), { to }));
    await refusalOf(backup(off(b), { to }));
    // Beside a disk that is known, a new one of the same VM is welcome.
    await run(off(a, b));
  });

  test('knows a VM without UUID by its disks, and no other with the same names', async () => {
    const [a, b] = [await image('a'), await image('b')];
    await run(pretendVm({ disks: { d0: a } }));
    await run(pretendVm({ disks: { d0: a } }));
    await refusalOf(backup(pretendVm({ disks: { d0: b } }), { to }));
    await refusalOf(backup(pretendVm({ name: 'web', disks: { d0: b } }), { to }));
  });

  test('of the first version gets its mark where its owner is beyond doubt, and else none', async () => {
    const [a, b] = [await image('a'), await image('b')];
    const [one, two] = [
      pretendVm({ uuid: ONE, disks: { drive0: a } }),
      pretendVm({ uuid: TWO, disks: { drive0: b } }),
    ];
    await run(one);
    await toFirstVersion();
    await refusalOf(backup(two, { to }));
    await write(a);
    expect(await run(one)).toMatchObject([{ verdict: 'incremental', base: { run: 1 } }]);
    expect((await BackupFolder.read(to)).mark?.owners).toMatchObject([{ uuid: ONE, inherits: true }]);
    await run(two, { adopt: true });
    await toFirstVersion();
    expect((await refusalOf(backup(one, { to }))).message).toContain(TWO);
  });
});

describe('a mark that was lost', () => {
  test('is made anew from the runs, every owner as it was', async () => {
    const [a, b] = [await image('a'), await image('b')];
    const one = pretendVm({ uuid: ONE, name: 'web', disks: { drive0: a } });
    const two = pretendVm({ uuid: TWO, name: 'mail', disks: { drive0: b } });
    await run(one);
    await run(two, { adopt: true });
    await run(off(a));
    const before = (await BackupFolder.read(to)).mark?.owners;
    await rm(join(to, MARK_NAME));
    for (const path of [a, b]) await write(path);
    expect(await run(two)).toMatchObject([{ verdict: 'incremental', base: { run: 2 } }]);
    expect(await run(one)).toMatchObject([{ verdict: 'incremental', base: { run: 3 } }]);
    const told = (owners: typeof before) =>
      owners?.map(({ id, kind, uuid, name }) => ({ id, kind, uuid, name }));
    expect(told((await BackupFolder.read(to)).mark?.owners)).toEqual(told(before));
  });
});

describe('a disk', () => {
  test('whose image moved is the same; a copy is a branch of its own', async () => {
    const a = await image('a');
    await run(off(a));
    const moved = join(folder.path, 'moved.qcow2');
    await rename(a, moved);
    await write(moved);
    expect(await run(off(moved))).toMatchObject([{ verdict: 'incremental', key: 'a', base: { run: 1 } }]);
    const copy = join(folder.path, 'copy.qcow2');
    await copyFile(moved, copy);
    await write(copy);
    expect(await run(off(copy))).toMatchObject([{ verdict: 'full', key: 'copy' }]);
    for (const path of [moved, copy]) await write(path);
    expect(await run(off(moved))).toMatchObject([{ verdict: 'incremental', base: { run: 2 } }]);
    expect(await run(off(copy))).toMatchObject([{ verdict: 'incremental', base: { run: 3 } }]);
    await prune({ from: to, rules: { last: 1 } });
    expect((await BackupFolder.read(to)).runs.map(({ run: number }) => number)).toEqual([4, 5]);
    expect((await verify({ from: to })).problems).toEqual([]);
  });

  test('of a history that counts for nothing any more is known by it, and never built on', async () => {
    const [a, b] = [await image('a'), await image('b')];
    await run(off(a));
    // As a program leaves it that knows nothing of bitmaps: the autoclear bits are cleared.
    const ignorant = async (path: string): Promise<void> => {
      await write(path);
      const file = await open(path, 'r+');
      await file.write(Buffer.alloc(8), 0, 8, 88);
      await file.close();
    };
    await ignorant(a);
    const copy = join(folder.path, 'copy.qcow2');
    await copyFile(a, copy);
    expect(await run(off(copy))).toMatchObject([{ verdict: 'full', base: null, key: 'copy' }]);
    expect(await run(off(a))).toMatchObject([{ verdict: 'full', base: null, key: 'a' }]);
    // What never was of this folder stays out.
    await refusalOf(backup(off(b), { to }));
    // A directory that something else has taken the place of says nothing, and spoils nothing.
    const lost = await image('lost');
    await run(off(lost), { adopt: true });
    await ignorant(lost);
    const bytes = await readFile(lost);
    for (let at = bytes.indexOf('cbt1.'); at >= 0; at = bytes.indexOf('cbt1.', at + 1))
      bytes.fill(0xff, at - 24, at + 40);
    await writeFile(lost, bytes);
    expect(await run(off(lost))).toMatchObject([{ verdict: 'full', key: 'lost' }]);
  });

  test('that was copied within its VM is two from then on', async () => {
    const a = await image('a');
    const copy = join(folder.path, 'copy.qcow2');
    await run(pretendVm({ uuid: ONE, disks: { drive0: a } }));
    await copyFile(a, copy);
    for (const path of [a, copy]) await write(path);
    const both = pretendVm({ uuid: ONE, disks: { drive0: a, drive1: copy } });
    expect(await run(both)).toMatchObject([
      { disk: 'drive0', verdict: 'full', reason: 'OTHER_EPOCH', key: 'drive0' },
      { disk: 'drive1', verdict: 'full', reason: 'OTHER_EPOCH' },
    ]);
    for (const path of [a, copy]) await write(path);
    await run(both);
    expect(await series()).toBe(2);
    expect((await verify({ from: to })).problems).toEqual([]);
  });

  test('that lost its history is found by its image, or by its name and size, and that is said', async () => {
    const [a, b] = [await image('a'), await image('b')];
    const vm = (drive0: string) => pretendVm({ uuid: ONE, disks: { drive0 } });
    await run(vm(a));
    await new ImageTracking([a]).reset();
    const [byImage] = await run(off(a));
    expect(byImage).toMatchObject({ verdict: 'full', key: 'drive0' });
    expect(byImage?.message).toContain('path of its image');
    const [byName] = await run(vm(b));
    expect(byName).toMatchObject({ verdict: 'full', key: 'drive0' });
    expect(byName?.message).toContain('name and size');
    expect(await series()).toBe(1);
  });

  test('is the one that --as names', async () => {
    const [a, b] = [await image('a'), await image('b')];
    await run(pretendVm({ uuid: ONE, disks: { drive0: a } }));
    expect(await run(off(b), { as: 'drive0' })).toMatchObject([{ verdict: 'full', key: 'drive0' }]);
    await write(b);
    expect(await run(off(b))).toMatchObject([{ verdict: 'incremental', base: { run: 2 } }]);
    expect(await series()).toBe(1);
    expect(await refusalOf(backup(off(a, b), { to, as: 'drive0' }))).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
    });
    const other = join(folder.path, 'elsewhere');
    const { disks } = await backup(off(a), { to: other, as: '__proto__' });
    expect(disks).toMatchObject([{ key: '__proto__', file: '__proto__-000001.qcow2' }]);
    await restore({ from: other, disk: '__proto__', to: join(folder.path, 'r.raw') });
  });

  test('that a crash and a run by its path had split in two is one again', async () => {
    const a = await image('web');
    const vm = pretendVm({ uuid: ONE, disks: { drive0: a } });
    // As the first version left it: the disk of the VM, and the same one by its path under another name.
    await run(vm);
    await write(a);
    await run(off(a));
    await write(a);
    await run(vm, { full: true });
    await toFirstVersion();
    const second = join(to, manifestName(2));
    const [layer] = (await BackupFolder.read(to)).runs[1]?.disks ?? [];
    const told = (await BackupFolder.read(to)).runs[1];
    if (layer === undefined || told === undefined) throw new Error('no run 2');
    const sums = { ...layer.sums, file: 'web-000002.sums' };
    await rename(join(to, layer.file), join(to, 'web-000002.qcow2'));
    await rename(join(to, layer.sums.file), join(to, sums.file));
    await qemuImg('rebase', '-q', '-u', '-f', 'qcow2', '-b', '', join(to, 'web-000002.qcow2'));
    const alone = {
      ...layer,
      key: 'web',
      file: 'web-000002.qcow2',
      sums,
      base: null,
      verdict: 'full' as const,
    };
    await writeFile(second, formatManifest({ ...told, disks: [alone] }));
    expect(await series()).toBe(2);
    await write(a);
    expect(await run(vm)).toMatchObject([{ verdict: 'incremental', base: { run: 3 } }]);
    expect(await series()).toBe(1);
  });
});
