import { describe, expect, test } from 'vitest';
import { makeImage, mapOf, open, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlHandle_GetType', () => {
  test('tells the type of every kind of object', async () => {
    const { file, pits } = await makeImage();
    const disk = await open(file);
    const policy = ref<number>();
    const server = ref<number>();
    prl.PrlDiskOpenPolicy_CreateOffset(policy, 0);
    prl.PrlSrv_Create(server);
    const typeOf = (handle: number): number => {
      const type = ref<number>();
      expect(prl.PrlHandle_GetType(handle, type)).toBe(0);
      return Number(type.value);
    };
    expect(typeOf(disk)).toBe(0x1000002f);
    expect(typeOf(await mapOf(disk, pits[0]!))).toBe(0x1000005f);
    expect(typeOf(Number(policy.value))).toBe(0x10000060);
    expect(typeOf(Number(server.value))).toBe(0x10000001);
    expect(typeOf(prl.PrlSrv_Logoff(Number(server.value)))).toBe(0x10000011);
    expect(prl.PrlHandle_GetType(disk, null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlHandle_GetType(1, ref<number>())).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
