/** All disks of a run, each into a file of its own: whole, or told why not, and never over what is there. */
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { formatManifest, parseManifest } from '../../../lib/backup/manifest.js';
import { restore } from '../../../lib/backup/restore.js';
import { restoreRun } from '../../../lib/backup/restoreRun.js';
import { cli } from '../../helpers/cli.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';
import { pretendVm } from './pretendVm.js';

let folder: TemporaryFolder;
let from: string;
let toFolder: string;
const at = (...names: string[]): string => join(folder.path, ...names);
const images = (): string[] => ['root', 'data'].map((name) => at(`${name}.qcow2`));

/** Two disks, two runs; in run n each begins with bytes n. */
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  [from, toFolder] = [at('backups'), at('restored', 'web')];
  for (const image of images()) await qemuImg('create', '-q', '-f', 'qcow2', image, '1M');
  for (const round of [1, 2]) {
    for (const image of images()) await qemuIo(['-f', 'qcow2', image], `write -P ${round} 0 64k`);
    await backup(imagesSource(images()), { to: from });
  }
});
afterEach(() => folder.remove());

async function firstByte(name: string): Promise<number | undefined> {
  if (name.endsWith('.raw')) return (await readFile(join(toFolder, name)))[0];
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', join(toFolder, name), at('converted'));
  return (await readFile(at('converted')))[0];
}

test('every disk of the newest run, or of the one that is named', async () => {
  expect(await restoreRun({ from, toFolder })).toMatchObject({
    run: 2,
    disks: [
      { disk: images()[0], file: join(toFolder, 'root.qcow2'), sizeBytes: 1 << 20, writtenBytes: 65_536 },
      { disk: images()[1], file: join(toFolder, 'data.qcow2') },
    ],
    missing: [],
  });
  expect(await firstByte('root.qcow2')).toBe(2);
  const { code, stdout } = await cli(
    'restore',
    '--from',
    from,
    '--pit',
    '1',
    '--to-folder',
    toFolder,
    '--format',
    'raw',
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/root\.qcow2 of run 1, .*written to .*root\.raw\n.*data\.qcow2 of run 1/);
  expect([await firstByte('root.raw'), await firstByte('data.raw')]).toEqual([1, 1]);
  expect((await readdir(toFolder)).sort()).toEqual(['data.qcow2', 'data.raw', 'root.qcow2', 'root.raw']);
});

test('nothing is written where one file is there already, unless it is to be replaced', async () => {
  await mkdir(toFolder, { recursive: true });
  await writeFile(join(toFolder, 'data.qcow2'), 'mine');
  const { code, stderr } = await cli('restore', '--from', from, '--to-folder', toFolder);
  expect(code).toBe(2);
  expect(stderr).toMatch(/--to-folder is ".*data\.qcow2", expected no such file/);
  expect(await readdir(toFolder)).toEqual(['data.qcow2']);
  expect((await cli('restore', '--from', from, '--to-folder', toFolder, '--force')).code).toBe(0);
  expect(await firstByte('data.qcow2')).toBe(2);
});

test('a disk that is damaged spoils no other; where all are, that is the error', async () => {
  await truncate(join(from, 'root-000001.qcow2'), 70_000);
  const { code, stdout, stderr } = await cli('restore', '--from', from, '--to-folder', toFolder, '--json');
  expect({ code, stderr }).toEqual({ code: 4, stderr: '' });
  expect(JSON.parse(stdout).disks).toMatchObject([
    { disk: images()[0], error: { code: 'ERR_CBT_CORRUPT_IMAGE' } },
    { disk: images()[1], writtenBytes: 65_536 },
  ]);
  expect(await readdir(toFolder)).toEqual(['data.qcow2']);
  await rm(join(from, 'data-000001.sums'));
  expect(await refusalOf(restoreRun({ from, toFolder, force: true }))).toMatchObject({
    code: 'ERR_CBT_CORRUPT_IMAGE',
  });
});

test('a disk that failed in the run is told, and the exit code says that it is not there', async () => {
  const path = join(from, 'run-000002.json');
  const manifest = parseManifest(await readFile(path, 'utf8'), path, 2);
  const failed = [{ disk: 'log', code: 'ERR_CBT_TIMEOUT', reason: null, message: 'too late' }];
  await writeFile(path, formatManifest({ ...manifest, failed }));
  const { code, stderr } = await cli('restore', '--from', from, '--to-folder', toFolder);
  expect(code).toBe(6);
  expect(stderr).toContain('warning: log is not in run 2: too late');
  const told = await cli('restore', '--from', from, '--to-folder', toFolder, '--force', '--json');
  expect(told.code).toBe(6);
  expect(JSON.parse(told.stdout)).toMatchObject({ run: 2, missing: failed });
  expect(await firstByte('root.qcow2')).toBe(2);
});

test('in a folder of two owners the run is named: the newest is whichever came last', async () => {
  const other = at('other.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', other, '1M');
  const uuid = '77aa0000-0000-4000-8000-000000000000';
  await backup(pretendVm({ uuid, name: 'mail', disks: { vda: other } }), { to: from, adopt: true });
  const { code, stderr } = await cli('restore', '--from', from, '--to-folder', toFolder);
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /--pit is "missing", expected a run, .*: images \(newest run 2, .*\), VM mail \(newest run 3, /,
  );
  expect(await readdir(folder.path)).not.toContain('restored');
  expect(await restoreRun({ from, toFolder, at: { run: 2 } })).toMatchObject({ run: 2, missing: [] });
});

test('two VMs with a disk of one name: whose it is has to be said, and a disk that only one has needs no more', async () => {
  const [one, two, more] = [at('one.qcow2'), at('two.qcow2'), at('more.qcow2')];
  for (const image of [one, two, more]) await qemuImg('create', '-q', '-f', 'qcow2', image, '1M');
  const shared = at('shared');
  const uuids = ['77aa0000-0000-4000-8000-000000000000', '88bb0000-0000-4000-8000-000000000000'] as const;
  await backup(pretendVm({ uuid: uuids[0], name: 'web', disks: { vda: one, vdb: more } }), { to: shared });
  await backup(pretendVm({ uuid: uuids[1], name: 'mail', disks: { vda: two } }), { to: shared, adopt: true });
  const refused = await refusalOf(restore({ from: shared, disk: 'vda', to: at('restored.raw') }));
  expect(refused).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT', details: { argument: 'at' } });
  expect(refused.message).toMatch(/VM web \(newest run 1, .*VM mail \(newest run 2, /);
  expect(await restore({ from: shared, disk: 'vda', at: { run: 1 }, to: at('restored.raw') })).toMatchObject({
    run: 1,
  });
  expect(await restore({ from: shared, disk: 'vdb', to: at('vdb.raw') })).toMatchObject({ run: 1 });
});

test('one of the two is named: a file, or a folder', async () => {
  for (const more of [[], ['--to', 'x', '--to-folder', 'y'], ['--to-folder', 'y', '--disk', 'root']])
    expect((await cli('restore', '--from', from, ...more)).code).toBe(2);
});
