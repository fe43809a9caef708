import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_GetVmList', () => {
  test('needs a login', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    expect(await codeOf(prl.PrlSrv_GetVmList(Number(server.value)))).toBe(prl.PRL_ERR_INVALID_PARAM);
    prl.configureLocalServer([]);
    expect(await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)))).toBe(0);
    expect(await codeOf(prl.PrlSrv_GetVmList(Number(server.value)))).toBe(0);
  });
});
