import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { runtime } from '../../../lib/facade/parallels/runtime.js';
import { bitsOf, makeImage, mapOf, open, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlHandle_Free', () => {
  test('frees in any order; a map outlives its disk', async () => {
    const { file, pits } = await makeImage();
    const disk = await open(file);
    const map = await mapOf(disk, pits[0]!);
    expect(await prl.PrlHandle_Free(disk)).toBe(0);
    expect(bitsOf(map)).toEqual([0, 10]);
    expect(await prl.PrlHandle_Free(map)).toBe(0);
    expect(await prl.PrlHandle_Free(map)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlHandle_Free(0)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
  test('ten thousand rounds leave no handle, no descriptor and no memory behind', async () => {
    const { file, pits } = await makeImage();
    const disk = await open(file);
    const rounds = async (n: number): Promise<void> => {
      for (let i = 0; i < n; i += 1) {
        const server = ref<number>();
        prl.PrlSrv_Create(server);
        const policy = ref<number>();
        prl.PrlDiskOpenPolicy_CreateOffset(policy, i);
        await prl.PrlHandle_Free(Number(policy.value));
        await prl.PrlHandle_Free(Number(server.value));
      }
    };
    const maps = async (n: number): Promise<void> => {
      for (let i = 0; i < n; i += 1) expect(await prl.PrlHandle_Free(await mapOf(disk, pits[0]!))).toBe(0);
    };
    await maps(20);
    const descriptors = readdirSync('/proc/self/fd').length;
    const before = runtime().table.size;
    const memory = process.memoryUsage.rss();
    await rounds(10_000);
    await maps(200);
    expect(runtime().table.size).toBe(before);
    expect(process.memoryUsage.rss() - memory).toBeLessThan(128 * 2 ** 20);
    for (let i = 0; i < 30; i += 1) expect(await prl.PrlHandle_Free(await open(file))).toBe(0);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(descriptors + 2);
  });
});
