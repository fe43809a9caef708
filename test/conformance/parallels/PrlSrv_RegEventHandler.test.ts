import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_RegEventHandler', () => {
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
    expect(prl.PrlSrv_RegEventHandler(it, handler, data)).toBe(0);
    const job = prl.PrlSrv_Logoff(it);
    expect(await codeOf(job)).toBe(0);
    expect(told).toEqual([[job, 0, data]]);
    expect(told[0]?.[2]).toBe(data);
    expect(prl.PrlSrv_RegEventHandler(it, null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
