import { describe, expect, test } from 'vitest';
import { makeImage, mapOf, open, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_Free', () => {
  test('frees a disk, and nothing else', async () => {
    const { file, pits } = await makeImage();
    const disk = await open(file);
    const map = await mapOf(disk, pits[0]!);
    expect(await prl.PrlDisk_Free(map)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlDiskMap_GetSize(map, ref<number>())).toBe(0);
    expect(await prl.PrlDisk_Free(disk)).toBe(0);
    expect(await prl.PrlDisk_Free(disk)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlDisk_Read(disk, Buffer.alloc(512), 512, 0)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
