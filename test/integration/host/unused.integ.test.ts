/** Whether an image is in use, asked of the locks that real QEMU programs hold. */
import { readFile, stat } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { holdFree, requireFree, requireUnused } from '../../../lib/host/unused.js';
import { writeWholeFile } from '../../../lib/linux/wholeFile.js';
import { type Holding, ImageHolder } from '../../helpers/imageHolder.js';
import { makeTemporaryFolder, qemuImg, type TemporaryFolder } from '../../helpers/qemuTools.js';

let folder: TemporaryFolder;
let image: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = `${folder.path}/disk.qcow2`;
  await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await folder.remove();
});

describe.each(['native', 'script'])('with the %s kernel', (kernel) => {
  beforeEach(() => vi.stubEnv('QEMU_CBT_KERNEL', kernel));

  test('an image that nobody has open is free', async () => {
    await requireUnused(image);
  });

  test.each<[Holding, RegExp]>([
    ['daemon rw', /qemu-storage-\w* \(process \d+\) has it open for writing/],
    ['daemon ro', /qemu-storage-\w* \(process \d+\) has it open; end that first/],
    ['io rw', /qemu-io \(process \d+\) has it open for writing/],
  ])('held by %s it is BUSY, and the holder is named', async (holding, named) => {
    const holder = await ImageHolder.hold(image, holding);
    try {
      const refusal = requireUnused(image);
      await expect(refusal).rejects.toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
      await expect(refusal).rejects.toThrow(named);
    } finally {
      await holder.release();
    }
    await requireUnused(image);
  });

  test('so is a layer below one that is held', async () => {
    const top = `${folder.path}/top.qcow2`;
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', image, '-F', 'qcow2', top);
    const holder = await ImageHolder.hold(top, 'io rw');
    await expect(requireUnused(image)).rejects.toMatchObject({ reason: 'BUSY' });
    await holder.release();
  });
});

test('a QEMU that opens it while what is to replace it is being written keeps it', async () => {
  const { ino } = await stat(image);
  let holder: ImageHolder | undefined;
  const replacing = writeWholeFile(
    image,
    async (file) => {
      await file.writeFile('new');
      holder = await ImageHolder.hold(image, 'daemon rw');
    },
    { requireFree },
  );
  await expect(replacing).rejects.toMatchObject({ reason: 'BUSY' });
  await holder?.release();
  expect((await stat(image)).ino).toBe(ino);
});

test('a QEMU that is started while it is being replaced is refused, where the addon can hold it', async () => {
  vi.stubEnv('QEMU_CBT_KERNEL', 'native');
  await writeWholeFile(
    image,
    async (file) => {
      await file.writeFile('new');
      await expect(ImageHolder.hold(image, 'daemon rw')).rejects.toThrow(/lock/);
    },
    { requireFree: holdFree },
  );
  expect(await readFile(image, 'utf8')).toBe('new');
});

test('where the locks cannot be known it is BUSY, and says what to do', async () => {
  vi.stubEnv('QEMU_CBT_KERNEL', 'script');
  const refusal = requireUnused('/proc/self/status');
  await expect(refusal).rejects.toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
  await expect(refusal).rejects.toThrow(/cannot be known: .*if none does, move or remove it first/);
});
