import { describe, expect, test } from 'vitest';
import { makeImage, mapOf, open, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlDiskMap_GetGranularity', () => {
  test('is 64 KiB, whatever the bitmap uses', async () => {
    const { file, pits } = await makeImage();
    const map = await mapOf(await open(file), pits[0]!);
    const granularity = ref<number>();
    expect(prl.PrlDiskMap_GetGranularity(map, granularity)).toBe(0);
    expect(granularity.value).toBe(65536);
    expect(prl.PrlDiskMap_GetGranularity(map, null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
