/**
 * Images that only QEMU reads: what a VMDK names (extents, a parent) is looked at before QEMU sees it, and nothing that leads
 * away from the folder, to a network or to anything but a file is opened.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, open, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openData } from '../../../../lib/host/data.js';
import { imageFiles, imageNode } from '../../../../lib/host/imageName.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';

let folder: TemporaryFolder;
const at = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
});

afterEach(() => folder.remove());

const fourBytes = async (file: string, format: string): Promise<number[]> => {
  await using data = await openData({ kind: 'qemu-nbd', file, format });
  return [...(await data.read(0, 4))];
};

describe('a sound image', () => {
  test.each(['monolithicSparse', 'monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat'])(
    'of VMDK type %s is served',
    async (subformat) => {
      await qemuImg('create', '-q', '-f', 'vmdk', '-o', `subformat=${subformat}`, at('d.vmdk'), '1M');
      await qemuIo(['-f', 'vmdk', at('d.vmdk')], 'write -P 7 0 64k');
      expect(await fourBytes(at('d.vmdk'), 'vmdk')).toEqual([7, 7, 7, 7]);
    },
  );

  test.each(['streamOptimized', 'vdi', 'vhdx', 'vpc'])('%s is served', async (kind) => {
    await qemuImg('create', '-q', '-f', 'raw', at('d.raw'), '1M');
    await qemuIo(['-f', 'raw', at('d.raw')], 'write -P 7 0 64k');
    const [format, options] =
      kind === 'streamOptimized' ? ['vmdk', ['-o', 'subformat=streamOptimized']] : [kind, []];
    await qemuImg('convert', '-f', 'raw', '-O', format!, ...options!, at('d.raw'), at('d.img'));
    expect(await fourBytes(at('d.img'), format!)).toEqual([7, 7, 7, 7]);
  });

  test('VMDK over its parent is served with it, each named to QEMU', async () => {
    await mkdir(at('vm'));
    await qemuImg('create', '-q', '-f', 'vmdk', at('vm/base.vmdk'), '1M');
    await qemuIo(['-f', 'vmdk', at('vm/base.vmdk')], 'write -P 7 0 64k');
    await qemuImg('create', '-q', '-f', 'vmdk', '-b', 'base.vmdk', '-F', 'vmdk', at('vm/top.vmdk'));
    expect(await imageFiles(at('vm/top.vmdk'), { format: 'vmdk' })).toEqual([
      at('vm/top.vmdk'),
      at('vm/base.vmdk'),
    ]);
    expect(await fourBytes(at('vm/top.vmdk'), 'vmdk')).toEqual([7, 7, 7, 7]);
    const alone = await imageNode(at('vm/top.vmdk'), { format: 'vmdk', withoutBacking: true });
    expect(alone.backing).toBeNull();
  });
});

describe('a VMDK', () => {
  const descriptor = (extents: string, parent = ''): string =>
    `# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="monolithicFlat"\n${parent}\n${extents}\n`;

  test.each([
    ['an absolute path', 'RW 2048 FLAT "/etc/passwd" 0'],
    ['a path upwards', 'RW 2048 FLAT "../secret" 0'],
    ['a protocol', 'RW 2048 FLAT "nbd:unix:server" 0'],
    ['json', 'RW 2048 FLAT "json:{}" 0'],
    ['a FIFO', 'RW 2048 FLAT "fifo" 0'],
    ['a folder', '\tRW  2048  FLAT  "." 0'],
    ['nothing', 'RW 2048 FLAT "" 0'],
    ['a file that is not there', 'RW 2048 SPARSE "none"'],
    ['a file that makes QEMU read a descriptor in it', 'RW 2048 SPARSE "empty"'],
  ])('that names %s as its extent is refused', async (_, extents) => {
    execFileSync('mkfifo', [at('fifo')]);
    const sparse = Buffer.alloc(1024);
    sparse.write('KDMV');
    await writeFile(at('empty'), sparse);
    await writeFile(at('d.vmdk'), descriptor(extents));
    const error = await refusalOf(imageNode(at('d.vmdk'), { format: 'vmdk' }));
    expect(error.disk).toBe(at('d.vmdk'));
    expect(['ERR_CBT_UNSUPPORTED', 'ERR_CBT_INVALID_ARGUMENT', 'ERR_CBT_BACKEND_UNAVAILABLE']).toContain(
      error.code,
    );
  });

  test.each([
    ['a protocol', 'nbd:unix:server', 'ERR_CBT_UNSUPPORTED'],
    ['a device', '/dev/zero', 'ERR_CBT_INVALID_ARGUMENT'],
    ['itself', 'd.vmdk', 'ERR_CBT_CORRUPT_IMAGE'],
    ['itself by a link', 'link', 'ERR_CBT_CORRUPT_IMAGE'],
  ])('that names %s as its parent is refused', async (_, parent, code) => {
    await writeFile(at('flat'), Buffer.alloc(1 << 20));
    await writeFile(at('d.vmdk'), descriptor('RW 2048 FLAT "flat" 0', `parentFileNameHint="${parent}"`));
    await symlink(at('d.vmdk'), at('link'));
    expect(await refusalOf(imageNode(at('d.vmdk'), { format: 'vmdk' }))).toMatchObject({ code });
  });

  test('whose embedded descriptor names a parent elsewhere is refused', async () => {
    await qemuImg('create', '-q', '-f', 'vmdk', at('base.vmdk'), '1M');
    await qemuImg('create', '-q', '-f', 'vmdk', '-b', at('base.vmdk'), '-F', 'vmdk', at('top.vmdk'));
    const bytes = await readFile(at('top.vmdk'));
    const file = await open(at('top.vmdk'), 'r+');
    await file.write('nbd:x', bytes.indexOf(at('base.vmdk')));
    await file.close();
    expect(await refusalOf(imageNode(at('top.vmdk'), { format: 'vmdk' }))).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
    });
  });
});

test.each(['qed', 'qcow', 'luks', 'nbd', 'null-co', 'quorum', 'fat', 'raw,x=y'])(
  'format %s is not handed to QEMU',
  async (format) => {
    await writeFile(at('d'), Buffer.alloc(4096));
    expect(await refusalOf(imageNode(at('d'), { format }))).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED' });
  },
);
