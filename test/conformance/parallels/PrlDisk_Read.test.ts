import { describe, expect, test } from 'vitest';
import { KIB64, makeImage, open, prl, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_Read', () => {
  test('reads sectors, whole or not at all', async () => {
    const { file } = await makeImage([[[KIB64, 1024]]], 2 * KIB64);
    const disk = await open(file);
    const buffer = Buffer.alloc(2048, 1);
    expect(await prl.PrlDisk_Read(disk, buffer, 1536, 127n)).toBe(0);
    expect([buffer[0], buffer[511], buffer[512], buffer[1535], buffer[1536]]).toEqual([0, 0, 0xcd, 0xcd, 1]);
    expect(await prl.PrlDisk_Read(disk, buffer, 512, 2 * 128)).toBe(prl.PRL_ERR_DISK_READ_OUT_DISK);
    expect(await prl.PrlDisk_Read(disk, buffer, 100, 0)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlDisk_Read(disk, buffer, 4096, 0)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlDisk_Read(disk, null, 512, 0)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlDisk_Read(disk, buffer, 512, -1)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
