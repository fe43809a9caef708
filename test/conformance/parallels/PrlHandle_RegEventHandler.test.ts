import { describe, expect, test } from 'vitest';
import { expectTold, prl, ref, serverOf, useLibrary } from './support.js';

useLibrary();

describe('PrlHandle_RegEventHandler', () => {
  test('the function is told of each job that ended', async () => {
    await expectTold(
      prl.PrlHandle_RegEventHandler,
      await serverOf([]),
      prl.PrlSrv_Logoff,
      prl.PRL_ERR_SUCCESS,
    );
  });
  test('nothing but servers and VMs has events', () => {
    const list = ref<number>();
    prl.PrlApi_CreateStringsList(list);
    const register = (handle: number): number => prl.PrlHandle_RegEventHandler(handle, () => undefined);
    expect(register(Number(list.value))).toBe(prl.PRL_ERR_UNIMPLEMENTED);
    expect(register(77)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
