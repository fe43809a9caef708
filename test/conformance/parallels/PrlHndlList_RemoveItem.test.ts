import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlHndlList_RemoveItem', () => {
  test('drops the reference of the list', async () => {
    const list = ref<number>();
    expect(prl.PrlApi_CreateHandlesList(list)).toBe(0);
    const it = Number(list.value);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    prl.PrlHndlList_AddItem(it, Number(server.value));
    await prl.PrlHandle_Free(Number(server.value));
    expect(await prl.PrlHndlList_RemoveItem(it, 1)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlHndlList_RemoveItem(it, 0)).toBe(0);
    expect(prl.PrlHandle_GetType(Number(server.value), ref<number>())).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
