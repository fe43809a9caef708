import { describe, expect, test } from 'vitest';
import { bitsOf, KIB64, makeImage, mapOf, open, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlDiskMap_GetSize', () => {
  test('counts granules, the last one as short as the disk is', async () => {
    const { file, pits } = await makeImage([[[2 * KIB64, 512]]], 2 * KIB64 + 512);
    const map = await mapOf(await open(file), pits[0]!);
    const size = ref<number>();
    expect(prl.PrlDiskMap_GetSize(map, size)).toBe(0);
    expect(size.value).toBe(3);
    expect(bitsOf(map)).toEqual([2]);
    expect(prl.PrlDiskMap_GetSize(map, null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlDiskMap_GetSize(0, size)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
  test('a disk of 64 TiB has 2^30 bits; one that passes 32 bits is refused in words', async () => {
    expect(() => prl.DiskMap.requireCountable(2 ** 46, KIB64)).not.toThrow();
    expect(() => prl.DiskMap.requireCountable(2 ** 52, KIB64)).toThrow(/has 68719476736 granules/);
    const { file, pits } = await makeImage([[[2 ** 46 - KIB64, 512]]], 2 ** 46);
    const map = await mapOf(await open(file), pits[0]!);
    const size = ref<number>();
    prl.PrlDiskMap_GetSize(map, size);
    expect(size.value).toBe(2 ** 30);
    const capacity = ref(0);
    prl.PrlDiskMap_Read(map, null, capacity);
    expect(capacity.value).toBe(2 ** 27);
    const bits = Buffer.alloc(capacity.value);
    expect(prl.PrlDiskMap_Read(map, bits, capacity)).toBe(0);
    expect(bits.at(-1)).toBe(0x80);
    expect(bits.indexOf(0x80)).toBe(2 ** 27 - 1);
  });
});
