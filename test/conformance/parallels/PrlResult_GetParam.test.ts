import { describe, expect, test } from 'vitest';
import { codeOf, handleOf, prl, ref, startVm, useLibrary } from './support.js';

useLibrary();

describe('PrlResult_GetParam', () => {
  test('gives the first parameter, where there is one', async () => {
    prl.configureLocalServer([{ name: 'a', qmpSocket: '/a' }]);
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
    expect(prl.PrlResult_GetParam(Number(result.value), ref<number>())).toBe(prl.PRL_ERR_INVALID_ARG);
  });
  test('taken twice it is one handle with two references: a backup goes on until both are freed', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    const job = prl.PrlVm_BeginBackup(vm, prl.PBMBF_CREATE_MAP);
    const backup = await handleOf(job);
    const result = ref<number>();
    expect(prl.PrlJob_GetResult(job, result)).toBe(0);
    const again = ref<number>();
    expect(prl.PrlResult_GetParam(Number(result.value), again)).toBe(0);
    expect(again.value).toBe(backup);
    expect(await prl.PrlHandle_Free(backup)).toBe(0);
    expect(await prl.PrlVmBackup_GetDisk(backup, 0, ref<number>())).toBe(0);
    expect(await codeOf(prl.PrlVmBackup_Commit(backup))).toBe(0);
  });
});
