import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlHndlList_GetItem', () => {
  test('gives the handle with a reference of its own; past the last there is none', async () => {
    const list = ref<number>();
    expect(prl.PrlApi_CreateHandlesList(list)).toBe(0);
    const it = Number(list.value);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    prl.PrlHndlList_AddItem(it, Number(server.value));
    const item = ref<number>();
    expect(prl.PrlHndlList_GetItem(it, 0, item)).toBe(0);
    expect(item.value).toBe(server.value);
    // Three references: the caller's two and the list's.
    for (const _ of [1, 2, 3]) expect(await prl.PrlHandle_Free(Number(server.value))).toBe(0);
    expect(await prl.PrlHandle_Free(Number(server.value))).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlHndlList_GetItem(it, 1, item)).toBe(prl.PRL_ERR_INVALID_ARG);
    // What the list held was freed once too often: it is gone, and the list says so.
    expect(prl.PrlHndlList_GetItem(it, 0, item)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
