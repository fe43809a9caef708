import { readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ImageHolder } from '../../helpers/imageHolder.js';
import { filesInFolder, makeImage, path, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_CreateDisk_Local', () => {
  const create = (
    name: string | null,
    size: number | bigint = 128,
    callback: unknown = null,
  ): Promise<number> => {
    return prl.PrlDisk_CreateDisk_Local(
      ref<number>(),
      name,
      { m_SizeInSectors: size as number },
      callback,
      null,
    );
  };
  test('makes a qcow2 of that size, once', async () => {
    const disk = ref<number>();
    expect(await prl.PrlDisk_CreateDisk_Local(disk, path('new'), { m_SizeInSectors: 128 }, null, null)).toBe(
      0,
    );
    const info = ref<prl.PRL_DISK_PARAMETERS>();
    expect(prl.PrlDisk_GetDiskInfo(Number(disk.value), info, ref(4096))).toBe(0);
    expect(info.value?.m_SizeInSectors).toBe(128);
    expect(await prl.PrlDisk_Write(Number(disk.value), Buffer.alloc(512, 7), 512, 1)).toBe(0);
    expect(await prl.PrlHandle_Free(Number(disk.value))).toBe(0);
    expect(readFileSync(path('new')).subarray(0, 3).toString()).toBe('QFI');
    expect(await create(path('new'))).toBe(prl.PRL_ERR_DISK_FILE_EXISTS);
  });
  test('refuses a callback, NULL, and a size that is none', async () => {
    expect(await create(path('b'), 128, () => 0)).toBe(prl.PRL_ERR_UNIMPLEMENTED);
    expect(await create(null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await create(path('b'), -1)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlDisk_CreateDisk_Local(ref<number>(), path('b'), null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await create(path('no/such/folder'))).toBe(prl.PRL_ERR_DISK_CREATE_IMAGE_ERROR);
    expect(filesInFolder()).toEqual([]);
  });
  test.each(['daemon rw', 'daemon ro'] as const)(
    'a file that a QEMU has open by %s stays as it is',
    async (holding) => {
      const { file } = await makeImage();
      const { ino } = statSync(file);
      // Its size in the header.
      const size = readFileSync(file).subarray(24, 32);
      const holder = await ImageHolder.hold(file, holding);
      try {
        expect(await create(file, 256)).toBe(prl.PRL_ERR_DISK_FILE_EXISTS);
      } finally {
        await holder.release();
      }
      expect(filesInFolder()).toEqual(['disk.qcow2']);
      expect([readFileSync(file).subarray(24, 32), statSync(file).ino]).toEqual([size, ino]);
    },
  );
});
