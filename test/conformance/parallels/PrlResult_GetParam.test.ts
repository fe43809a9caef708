import { describe, expect, test } from 'vitest';
import { codeOf, handleOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlResult_GetParam', () => {
  test('gives the first parameter, where there is one', async () => {
    prl.configureLocalServer([{ name: 'a', qmp: '/a' }]);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)));
    const vm = await handleOf(prl.PrlSrv_GetVmConfig(Number(server.value), 'a'));
    const type = ref<number>();
    prl.PrlHandle_GetType(vm, type);
    expect(type.value).toBe(prl.PHT_VIRTUAL_MACHINE);
    const empty = prl.PrlSrv_Logoff(Number(server.value));
    await codeOf(empty);
    const result = ref<number>();
    prl.PrlJob_GetResult(empty, result);
    expect(prl.PrlResult_GetParam(Number(result.value), ref<number>())).toBe(prl.PRL_ERR_NO_DATA);
  });
});
