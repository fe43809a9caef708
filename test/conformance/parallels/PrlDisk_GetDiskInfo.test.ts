import { describe, expect, test } from 'vitest';
import { makeImage, open, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_GetDiskInfo', () => {
  test('tells the size; 0 asks for the bytes needed, too few are refused and stay', async () => {
    const { file } = await makeImage([[]], 100 * 512);
    const disk = await open(file);
    const size = ref(0);
    expect(prl.PrlDisk_GetDiskInfo(disk, null, size)).toBe(0);
    expect(size.value).toBeGreaterThan(60 + 28);
    const small = ref(60);
    const info = ref<prl.PRL_DISK_PARAMETERS>();
    expect(prl.PrlDisk_GetDiskInfo(disk, info, small)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect([small.value, info.value]).toEqual([60, undefined]);
    expect(prl.PrlDisk_GetDiskInfo(disk, info, size)).toBe(0);
    expect(info.value).toMatchObject({ m_SizeInSectors: 100, m_Parts: 1, m_Name: file });
    expect(prl.PrlDisk_GetDiskInfo(disk, info, null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
