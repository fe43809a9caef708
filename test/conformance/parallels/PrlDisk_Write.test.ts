import { describe, expect, test } from 'vitest';
import { KIB64, makeImage, open, prl, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_Write', () => {
  test('writes sectors to a disk that is open for writing', async () => {
    const { file } = await makeImage([[]], 2 * KIB64);
    const disk = await open(file, prl.PRL_DISK_DEFAULT);
    const data = Buffer.alloc(1024, 9);
    expect(await prl.PrlDisk_Write(disk, data, 1024, 3)).toBe(0);
    expect(await prl.PrlDisk_Write(disk, data, 1024, 255)).toBe(prl.PRL_ERR_DISK_READ_OUT_DISK);
    expect(await prl.PrlDisk_Write(disk, data, 1, 0)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlDisk_Write(disk, null, 512, 0)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlDisk_Free(disk)).toBe(0);
    const again = await open(file);
    const read = Buffer.alloc(2048);
    expect(await prl.PrlDisk_Read(again, read, 2048, 2)).toBe(0);
    expect([read[511], read[512], read[1535], read[1536]]).toEqual([0, 9, 9, 0]);
    expect(await prl.PrlDisk_Write(again, data, 512, 0)).toBe(prl.PRL_ERR_DISK_OPERATION_NOT_ALLOWED);
  });
});
