import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlHandle_AddRef', () => {
  test('a handle lives until as many frees', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    const handle = Number(server.value);
    expect(prl.PrlHandle_AddRef(handle)).toBe(0);
    expect(await prl.PrlHandle_Free(handle)).toBe(0);
    expect(prl.PrlHandle_GetType(handle, ref<number>())).toBe(0);
    expect(await prl.PrlHandle_Free(handle)).toBe(0);
    expect(prl.PrlHandle_AddRef(handle)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
  test('what is no handle is an invalid argument, whatever it is', () => {
    for (const forged of [0, -1, 0xface + 1e6, 1.5, Number.NaN, '64206', null, undefined, {}, 64206n])
      expect(prl.PrlHandle_AddRef(forged as number)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
