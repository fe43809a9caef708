/** One bad image beside a good one: the good one is backed up, the bad one named with its reason, and nothing of it is left. */
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import { CbtError } from '../../../lib/core/errors.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { openDisk } from '../../../lib/host/open.js';
import { luksHeader } from '../../helpers/luksHeader.js';
import { buildQcow2 } from '../../helpers/qcow2Builder.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';

let folder: TemporaryFolder;
let good: string;
let to: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  good = file('good');
  to = join(folder.path, 'backups');
  await qemuImg('create', '-q', '-f', 'qcow2', good, '4M');
  await qemuIo(['-f', 'qcow2', good], 'write -P 1 0 1M');
  await new ImageTracking([good]).enable();
});
afterEach(() => folder.remove());

const file = (name: string): string => join(folder.path, `${name}.qcow2`);
const points = async (path: string): Promise<number> => {
  await using disk = await openDisk(path);
  return (await disk.pits()).pits.length;
};

const failure = (message: string): CbtError => new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message);

const BAD: [string, (path: string) => Promise<unknown>][] = [
  [
    'whose backing file is gone',
    async (path) => {
      await qemuImg('create', '-q', '-f', 'qcow2', file('base'), '4M');
      await qemuImg('create', '-q', '-f', 'qcow2', '-b', file('base'), '-F', 'qcow2', path);
      await rm(file('base'));
    },
  ],
  [
    'that is encrypted',
    (path) => writeFile(path, buildQcow2({ size: 4 << 20, luksHeader: luksHeader('k') }).bytes),
  ],
  ['that is not there', async () => undefined],
];

describe('an image', () => {
  test.each(BAD)('%s is told by its path, and spoils no other', async (_, make) => {
    const bad = file('bad');
    await make(bad);
    const before = await points(good);
    const { run, disks } = await backup(imagesSource([bad, good]), { to });
    expect(run).toBe(1);
    expect(disks).toMatchObject([
      { disk: good, file: 'good-000001.qcow2' },
      { disk: bad, error: { disk: bad } },
    ]);
    expect(await points(good)).toBe(before + 1);
    expect((await verify({ from: to })).problems).toEqual([]);
  });

  test('that fails when its data is read leaves no point in time', async () => {
    const bad = file('bad');
    await qemuImg('create', '-q', '-f', 'qcow2', bad, '4M');
    await new ImageTracking([bad]).enable();
    const source = imagesSource([bad, good]);
    const { disks } = await backup(
      {
        ...source,
        begin: async (...args) => {
          const session = await source.begin(...args);
          const [first] = session.disks;
          if (first !== undefined) first.openData = () => Promise.reject(failure('no data'));
          return session;
        },
      },
      { to },
    );
    expect(disks).toMatchObject([
      { disk: good },
      { disk: bad, error: { disk: bad, code: 'ERR_CBT_BACKEND_UNAVAILABLE' } },
    ]);
    expect(await points(bad)).toBe(1);
    expect(await points(good)).toBe(2);
  });

  test('without room for anything is backed up too', async () => {
    const empty = file('empty');
    await qemuImg('create', '-q', '-f', 'qcow2', empty, '0');
    const { disks } = await backup(imagesSource([empty, good]), { to });
    expect(disks).toHaveLength(2);
    expect(disks).toContainEqual(expect.objectContaining({ disk: good, file: 'good-000001.qcow2' }));
    expect((await verify({ from: to })).problems).toEqual([]);
  });

  test('that cannot be written to is copied in full, with the reason', async () => {
    const source = imagesSource([good]);
    const begin = ImageTracking.prototype.begin;
    ImageTracking.prototype.begin = async () => ({
      pit: '',
      warnings: [],
      disks: [{ disk: good, verdict: 'failed', error: failure('a read-only file system') }],
    });
    try {
      const { disks } = await backup(source, { to });
      expect(disks).toMatchObject([
        { disk: good, verdict: 'full', epoch: null, message: expect.stringContaining('read-only') },
      ]);
    } finally {
      ImageTracking.prototype.begin = begin;
    }
    const restored = join(folder.path, 'r.raw');
    await restore({ from: to, to: restored });
    await qemuImg('convert', '-O', 'raw', good, join(folder.path, 'now.raw'));
    expect((await readFile(restored)).equals(await readFile(join(folder.path, 'now.raw')))).toBe(true);
    expect(await points(good)).toBe(1);
  });

  test('given by two names is one', async () => {
    await link(good, file('same'));
    const { disks, warnings } = await backup(imagesSource([good, file('same')]), { to });
    expect(disks).toMatchObject([{ disk: good }]);
    expect(warnings.join()).toContain('same.qcow2');
    expect(await points(good)).toBe(2);
  });
});
