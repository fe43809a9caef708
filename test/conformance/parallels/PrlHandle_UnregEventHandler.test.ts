import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlHandle_UnregEventHandler', () => {
  test('takes off the one that was registered with this data, once', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    const it = Number(server.value);
    const told: unknown[] = [];
    const handler = (_event: number, userData: unknown): void => void told.push(userData);
    for (const data of ['a', 'b']) expect(prl.PrlHandle_RegEventHandler(it, handler, data)).toBe(0);
    expect(prl.PrlHandle_UnregEventHandler(it, handler, 'c')).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlHandle_UnregEventHandler(it, handler, 'a')).toBe(0);
    expect(prl.PrlHandle_UnregEventHandler(it, handler, 'a')).toBe(prl.PRL_ERR_INVALID_ARG);
    await codeOf(prl.PrlSrv_Logoff(it));
    expect(told).toEqual(['b']);
  });
});
