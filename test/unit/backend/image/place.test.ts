/** What a path stands for, and that it stands for the same until it is closed; Parallels files among the others of a stack. */
import { fstatSync, linkSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type OpenImageOptions, openImage } from '../../../../lib/backend/image/imageSource.js';
import type { DiskSource } from '../../../../lib/core/diskSource.js';
import { TOP_GUID, writeHdd, writeHds } from '../../../helpers/parallelsBuilder.js';
import { buildQcow2, type Qcow2Spec } from '../../../helpers/qcow2Builder.js';
import { refusalOf } from '../../../helpers/refusal.js';
import { kernelWith, listRanges, scratch } from './parallels/disks.js';

const SIZE = 524_288;
const ID = '00112233-4455-6677-8899-aabbccddeeff';
const ROOT = '{11111111-0000-4000-8000-000000000000}';

async function open(path: string, options: Partial<OpenImageOptions> = {}): Promise<DiskSource> {
  const source = await openImage(path, { kernel: kernelWith(), ...options });
  onTestFinished(() => source.close());
  return source;
}

const formatsOf = async (source: DiskSource): Promise<string[]> =>
  (await source.state()).layers.map(({ format }) => format);

function put(path: string, spec: Qcow2Spec): string {
  writeFileSync(path, buildQcow2({ size: SIZE, ...spec }).bytes);
  return path;
}

async function overwrite(path: string, bytes: Buffer): Promise<void> {
  await using file = await openFile(path, 'r+');
  await file.write(bytes, 0, bytes.length, 0);
}

describe('what a path stands for', () => {
  it('a raw disk stays one, whatever its guest writes at its start', async () => {
    const path = join(scratch(), 'disk');
    writeFileSync(path, Buffer.alloc(SIZE));
    const source = await open(path);
    expect(await formatsOf(source)).toEqual(['raw']);
    await overwrite(path, buildQcow2({ size: SIZE, bitmaps: [{ name: ID }] }).bytes);
    expect(await formatsOf(source)).toEqual(['raw']);
    await overwrite(path, Buffer.from('WithouFreSpacExt'));
    expect(await formatsOf(source)).toEqual(['raw']);
  });

  it.each([
    ['qcow2', (path: string) => put(path, { bitmaps: [{ name: ID }] })],
    ['parallels', (path: string) => writeHds(path, { bitmaps: [{ id: ID }] }).path],
  ])('a %s image that loses its header is damaged, and no raw disk', async (format, write) => {
    const path = write(join(scratch(), 'disk'));
    const source = await open(path);
    expect(await formatsOf(source)).toEqual([format]);
    await overwrite(path, Buffer.alloc(64));
    expect((await refusalOf(source.state())).code).toBe('ERR_CBT_CORRUPT_IMAGE');
  });

  it('the bytes of a disk whose name says raw make no Parallels image of it', async () => {
    const { path } = writeHds(join(scratch(), 'disk.raw'), { bitmaps: [{ id: ID }] });
    const source = await open(path);
    for (const ask of [() => source.state(), () => source.bitmapRanges([{ layer: 0, name: ID }], 512)])
      expect(await refusalOf(ask)).toMatchObject({
        code: 'ERR_CBT_INVALID_ARGUMENT',
        details: { argument: 'format', received: 'parallels' },
      });
    expect(await formatsOf(await open(path, { trust: true }))).toEqual(['parallels']);
    expect(await formatsOf(await open(path, { format: 'parallels' }))).toEqual(['parallels']);
    expect(await formatsOf(await open(path, { format: 'raw' }))).toEqual(['raw']);
  });

  it('a folder is a disk by its descriptor only', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), { images: [{ guid: TOP_GUID, file: 'top.hds' }] });
    writeHds(join(folder, 'top.hds'));
    for (const path of [folder, join(folder, 'DiskDescriptor.xml'), join(folder, 'top.hds')])
      expect(await formatsOf(await open(path))).toEqual(['parallels']);
    const empty = join(scratch(), 'empty');
    mkdirSync(empty);
    expect(await refusalOf(open(empty))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT', disk: empty });
    expect(await refusalOf(open(empty, { format: 'parallels' }))).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      details: { path: join(empty, 'DiskDescriptor.xml'), errno: 'ENOENT' },
    });
  });
});

describe('a Parallels image below a qcow2 file', () => {
  function stack(): { top: string; base: string } {
    const folder = scratch();
    const { path: base } = writeHds(join(folder, 'base.hds'), {
      allocated: [1, 4],
      bitmaps: [{ id: ID, bits: [3] }],
    });
    return { top: put(join(folder, 'top'), { backing: { name: 'base.hds', format: 'parallels' } }), base };
  }

  it('is a layer like any other', async () => {
    const { top, base } = stack();
    const source = await open(top, { format: 'qcow2' });
    expect((await source.state()).layers).toMatchObject([
      { label: top, format: 'qcow2' },
      { label: base, format: 'parallels', sizeBytes: SIZE, bitmaps: [{ name: ID }] },
    ]);
    const changed = await source.bitmapRanges([{ layer: 1, name: ID }], 512);
    expect(await listRanges(changed, SIZE)).toEqual([[3 * 65_536, 65_536]]);
    expect(await listRanges(await source.allocatedRanges(), SIZE)).toEqual([
      [4096, 4096],
      [4 * 4096, 4096],
    ]);
  });

  it('is watched like any other', async () => {
    const { top, base } = stack();
    const { ino } = statSync(base);
    let held = false;
    const lockState = async (fd: number) => ({
      writer: held && fstatSync(fd).ino === ino,
      writersForbidden: false,
    });
    const source = await open(top, { format: 'qcow2', kernel: { ...kernelWith(), lockState } });
    const pager = await source.bitmapRanges([{ layer: 1, name: ID }], 512);
    held = true;
    for (const ask of [
      () => source.state(),
      () => source.allocatedRanges(),
      () => pager.page({ startBytes: 0, endBytes: SIZE, maxRanges: 1 }),
    ]) {
      const error = await refusalOf(ask);
      expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY', disk: top });
      expect(error.message).toContain(base);
    }
  });

  it('that a descriptor puts on another is not read alone', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), {
      images: [
        { guid: TOP_GUID, file: 'top.hds', parent: ROOT },
        { guid: ROOT, file: 'root.hds' },
      ],
    });
    for (const name of ['top.hds', 'root.hds']) writeHds(join(folder, name));
    for (const [name, problem] of [
      ['top.hds', 'give the folder'],
      ['root.hds', undefined],
    ] as const) {
      const path = put(join(folder, 'over'), { backing: { name, format: 'parallels' } });
      const [, below] = (await (await open(path, { format: 'qcow2' })).state()).layers;
      if (problem === undefined) expect(below).not.toHaveProperty('problem');
      else expect(below?.problem?.message).toContain(problem);
    }
    expect((await refusalOf(open(join(folder, 'top.hds')))).code).toBe('ERR_CBT_UNSUPPORTED');
  });
});

describe('a Parallels stack', () => {
  it('that has one file twice, under two names, is refused as a whole', async () => {
    const folder = writeHdd(join(scratch(), 'd.hdd'), {
      images: [
        { guid: TOP_GUID, file: 'top.hds', parent: ROOT },
        { guid: ROOT, file: 'root.hds' },
      ],
    });
    writeHds(join(folder, 'top.hds'));
    linkSync(join(folder, 'top.hds'), join(folder, 'root.hds'));
    expect(await refusalOf((await open(folder)).state())).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
      details: { field: 'backing chain' },
    });
  });
});
