import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlHandle_RegEventHandler', () => {
  test('the function is told of each job that ended', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    const it = Number(server.value);
    const told: unknown[][] = [];
    const data = {};
    const handler = (event: number, userData: unknown): void => {
      const code = ref<number>();
      prl.PrlJob_GetRetCode(event, code);
      told.push([event, code.value, userData]);
    };
    expect(prl.PrlHandle_RegEventHandler(it, handler, data)).toBe(0);
    const job = prl.PrlSrv_Logoff(it);
    expect(await codeOf(job)).toBe(0);
    expect(told).toEqual([[job, 0, data]]);
    expect(told[0]?.[2]).toBe(data);
    expect(prl.PrlHandle_RegEventHandler(it, null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
  test('nothing but servers and VMs has events', () => {
    const list = ref<number>();
    prl.PrlApi_CreateStringsList(list);
    const register = (handle: number): number => prl.PrlHandle_RegEventHandler(handle, () => undefined);
    expect(register(Number(list.value))).toBe(prl.PRL_ERR_UNIMPLEMENTED);
    expect(register(77)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
