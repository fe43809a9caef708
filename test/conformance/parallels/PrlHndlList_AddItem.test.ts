import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlHndlList_AddItem', () => {
  test('the list keeps what is in it alive', async () => {
    const list = ref<number>();
    expect(prl.PrlApi_CreateHandlesList(list)).toBe(0);
    const it = Number(list.value);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    expect(prl.PrlHndlList_AddItem(it, Number(server.value))).toBe(0);
    expect(await prl.PrlHandle_Free(Number(server.value))).toBe(0);
    const type = ref<number>();
    expect(prl.PrlHandle_GetType(Number(server.value), type)).toBe(0);
    expect(await prl.PrlHandle_Free(it)).toBe(0);
    expect(prl.PrlHandle_GetType(Number(server.value), type)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
  test('takes live handles only, and no lists: one in itself would never end', () => {
    const list = ref<number>();
    expect(prl.PrlApi_CreateHandlesList(list)).toBe(0);
    const it = Number(list.value);
    expect(prl.PrlHndlList_AddItem(it, 77)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlHndlList_AddItem(it, it)).toBe(prl.PRL_ERR_INVALID_ARG);
    const count = ref<number>();
    prl.PrlHndlList_GetItemsCount(it, count);
    expect(count.value).toBe(0);
  });
});
