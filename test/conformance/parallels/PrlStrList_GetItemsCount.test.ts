import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlStrList_GetItemsCount', () => {
  test('counts', () => {
    const list = ref<number>();
    expect(prl.PrlApi_CreateStringsList(list)).toBe(0);
    const it = Number(list.value);
    prl.PrlStrList_AddItem(it, 'a');
    prl.PrlStrList_AddItem(it, 'a');
    const count = ref<number>();
    expect(prl.PrlStrList_GetItemsCount(it, count)).toBe(0);
    expect(count.value).toBe(2);
    expect(prl.PrlStrList_GetItemsCount(it, null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlHndlList_GetItemsCount(it, count)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
