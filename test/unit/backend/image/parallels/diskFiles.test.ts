import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TOP_GUID, writeHdd, writeHds } from '../../../../helpers/parallelsBuilder.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { openDisk, scratch, stateOf } from './disks.js';

const LOW = '{11111111-0000-4000-8000-000000000000}';
const stacked = (file = 'root.hds') => [
  { guid: LOW, file },
  { guid: TOP_GUID, file: 'top.hds', parent: LOW },
];

describe('which files make up a disk', () => {
  it.each(['root.hds', './root.hds', 'sub/../root.hds', '../d.hdd/root.hds', 'sub/root.hds'])(
    'takes a name inside the folder: %s',
    async (file) => {
      const folder = writeHdd(join(scratch(), 'd.hdd'), { images: [{ guid: TOP_GUID, file }] });
      mkdirSync(join(folder, 'sub'));
      const { path } = writeHds(join(folder, file));
      expect((await stateOf(folder)).layers[0]!.label).toBe(join(path));
    },
  );

  it('takes an absolute name inside the folder, spelled with the links of the folder or without', async () => {
    const base = scratch();
    const folder = writeHdd(join(base, 'd.hdd'), {
      images: [{ guid: TOP_GUID, file: join(base, 'd.hdd', 'root.hds') }],
    });
    writeHds(join(folder, 'root.hds'));
    expect((await stateOf(folder)).layers).toHaveLength(1);
    symlinkSync(folder, join(base, 'link.hdd'));
    expect((await stateOf(join(base, 'link.hdd'))).layers).toHaveLength(1);
  });

  it.each([
    ['a name that climbs out', () => '../other.hds'],
    ['an absolute name elsewhere', (base: string) => join(base, 'other.hds')],
    ['the system’s own files', () => '/etc/passwd'],
    ['the folder itself', () => '.'],
    ['a folder whose name starts alike', (base: string) => join(base, 'd.hdd2', 'other.hds')],
  ])('refuses %s', async (_what, name) => {
    const base = scratch();
    const file = name(base);
    const folder = writeHdd(join(base, 'd.hdd'), { images: [{ guid: TOP_GUID, file }] });
    writeHds(join(base, 'other.hds'));
    const error = await refusalOf(openDisk(folder));
    expect(error).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      disk: folder,
      details: {
        field: 'Image/File',
        value: JSON.stringify(file),
        limit: `inside the folder ${JSON.stringify(folder)}`,
      },
    });
  });

  it('refuses a link that leads out of the folder', async () => {
    const base = scratch();
    const folder = writeHdd(join(base, 'd.hdd'));
    const { path } = writeHds(join(base, 'secret.hds'));
    symlinkSync(path, join(folder, 'root.hds'));
    const error = await refusalOf(openDisk(folder));
    expect(error).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      details: { field: 'Image/File', value: JSON.stringify(path) },
    });
  });

  it('refuses one file for two images', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), { images: stacked('./top.hds') });
    writeHds(join(folder, 'top.hds'));
    const error = await refusalOf(openDisk(folder));
    expect(error).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
      details: { field: 'Image/File', value: '"./top.hds"' },
    });
  });

  it('says what is missing', async () => {
    const base = scratch();
    const folder = writeHdd(join(base, 'd.hdd'));
    for (const [path, missing] of [
      [folder, join(folder, 'root.hds')],
      [base, join(base, 'DiskDescriptor.xml')],
      [join(base, 'none.hds'), join(base, 'none.hds')],
    ]) {
      const error = await refusalOf(openDisk(path!));
      expect(error).toMatchObject({
        code: 'ERR_CBT_BACKEND_UNAVAILABLE',
        disk: path,
        details: { path: missing, errno: 'ENOENT' },
      });
    }
  });

  it('refuses a descriptor of more than 1 MiB before it is read', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), { prolog: `<!--${' '.repeat(2 ** 20)}-->` });
    const error = await refusalOf(openDisk(folder));
    expect(error).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      details: { field: 'file size', limit: 'at most 1048576 bytes' },
    });
  });

  it('refuses a descriptor that is no file', async () => {
    const folder = join(scratch(), 'd.hdd');
    mkdirSync(join(folder, 'DiskDescriptor.xml'), { recursive: true });
    expect((await refusalOf(openDisk(folder))).code).toBe('ERR_CBT_INVALID_ARGUMENT');
  });
});

describe('an image given alone', () => {
  it('is a disk where no descriptor is beside it, and where it has no parent', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), { images: stacked() });
    const { path } = writeHds(join(folder, 'root.hds'));
    writeHds(join(folder, 'top.hds'));
    expect((await stateOf(path)).layers).toHaveLength(1);
    const { path: unlisted } = writeHds(join(folder, 'unlisted.hds'));
    expect((await stateOf(unlisted)).layers).toHaveLength(1);
  });

  it('is refused where it stands on others: read alone, their data would pass for empty', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), { images: stacked() });
    writeHds(join(folder, 'root.hds'));
    const { path } = writeHds(join(folder, 'top.hds'));
    symlinkSync(path, join(folder, '..', 'link.hds'));
    for (const name of [path, join(folder, '..', 'link.hds')]) {
      const error = await refusalOf(openDisk(name));
      expect(error.code).toBe('ERR_CBT_UNSUPPORTED');
      expect(error.message).toContain('images under "top.hds", itself included is 2, must be 1');
      expect(error.message).toContain('give the folder');
    }
  });

  it('is refused where the descriptor beside it cannot be read', async () => {
    const folder = scratch();
    const { path } = writeHds(join(folder, 'root.hds'));
    writeFileSync(join(folder, 'DiskDescriptor.xml'), '<Parallels_disk_image>');
    expect((await refusalOf(openDisk(path))).message).toContain('DiskDescriptor.xml: XML is broken');
  });
});

describe('the descriptor against its images', () => {
  it('refuses a disk that goes on past its top image', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), { diskSectors: 1025 });
    writeHds(join(folder, 'root.hds'));
    const error = await refusalOf(stateOf(folder));
    expect(error).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
      disk: folder,
      details: { field: 'Disk_size', value: 1025, limit: 'at most 1024, the sectors of the top image' },
    });
  });

  it('takes an image that is longer, rounded up to its clusters', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), { diskSectors: 1021 });
    writeHds(join(folder, 'root.hds'));
    expect((await stateOf(folder)).sizeBytes).toBe(1024 * 512);
  });

  it('refuses another cluster size', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), { clusterSectors: 2048 });
    const { path } = writeHds(join(folder, 'root.hds'));
    const error = await refusalOf(stateOf(folder));
    expect(error).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
      details: { field: 'Blocksize', value: 2048, limit: `8, the cluster size of ${path}` },
    });
  });

  it('sees a snapshot that was taken since the disk was opened', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'));
    writeHds(join(folder, 'root.hds'));
    const source = await openDisk(folder);
    expect((await source.state()).layers).toHaveLength(1);
    writeHds(join(folder, 'top.hds'));
    writeHdd(join(folder, 'next'), { images: stacked() });
    renameSync(join(folder, 'next', 'DiskDescriptor.xml'), join(folder, 'DiskDescriptor.xml'));
    // What was decided from the old state is not answered from the new disk.
    expect(await refusalOf(source.allocatedRanges())).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      reason: 'BUSY',
    });
    expect((await source.state()).layers.map(({ label }) => label)).toEqual([
      join(folder, 'top.hds'),
      join(folder, 'root.hds'),
    ]);
    await source.allocatedRanges();
  });
});
