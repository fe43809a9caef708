import { describe, expect, test } from 'vitest';
import { codeOf, handleOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlVm_UnregEventHandler', () => {
  test('takes off the one that was registered with this data, once', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    prl.configureLocalServer([{ name: 'a', qmp: '/nowhere' }]);
    expect(await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)))).toBe(0);
    const it = await handleOf(prl.PrlSrv_GetVmConfig(Number(server.value), 'a'));
    const told: unknown[] = [];
    const handler = (_event: number, userData: unknown): void => void told.push(userData);
    for (const data of ['a', 'b']) expect(prl.PrlVm_RegEventHandler(it, handler, data)).toBe(0);
    expect(prl.PrlVm_UnregEventHandler(it, handler, 'c')).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlVm_UnregEventHandler(it, handler, 'a')).toBe(0);
    expect(prl.PrlVm_UnregEventHandler(it, handler, 'a')).toBe(prl.PRL_ERR_INVALID_ARG);
    await codeOf(prl.PrlVm_BeginBackup(it, 0));
    expect(told).toEqual(['b']);
  });
});
