import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlHndlList_GetItemsCount', () => {
  test('counts', () => {
    const list = ref<number>();
    expect(prl.PrlApi_CreateHandlesList(list)).toBe(0);
    const it = Number(list.value);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    prl.PrlHndlList_AddItem(it, Number(server.value));
    const count = ref<number>();
    expect(prl.PrlHndlList_GetItemsCount(it, count)).toBe(0);
    expect(count.value).toBe(1);
    expect(prl.PrlHndlList_GetItemsCount(Number(server.value), count)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
