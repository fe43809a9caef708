import { describe, expect, test } from 'vitest';
import { codeOf, handleOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlVm_RegEventHandler', () => {
  test('the function is told of each job that ended', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    prl.configureLocalServer([{ name: 'a', qmp: '/nowhere' }]);
    expect(await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)))).toBe(0);
    const it = await handleOf(prl.PrlSrv_GetVmConfig(Number(server.value), 'a'));
    const told: unknown[][] = [];
    const data = {};
    const handler = (event: number, userData: unknown): void => {
      const code = ref<number>();
      prl.PrlJob_GetRetCode(event, code);
      told.push([event, code.value, userData]);
    };
    expect(prl.PrlVm_RegEventHandler(it, handler, data)).toBe(0);
    const job = prl.PrlVm_BeginBackup(it, 0);
    expect(await codeOf(job)).toBe(prl.PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED);
    expect(told).toEqual([[job, prl.PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED, data]]);
    expect(told[0]?.[2]).toBe(data);
    expect(prl.PrlVm_RegEventHandler(it, null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
