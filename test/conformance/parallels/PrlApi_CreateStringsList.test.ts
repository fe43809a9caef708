import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlApi_CreateStringsList', () => {
  test('gives an empty list, and refuses NULL', async () => {
    const list = ref<number>();
    expect(prl.PrlApi_CreateStringsList(list)).toBe(0);
    const type = ref<number>();
    expect(prl.PrlHandle_GetType(Number(list.value), type)).toBe(0);
    expect(type.value).toBe(prl.PHT_STRINGS_LIST);
    const count = ref<number>();
    expect(prl.PrlStrList_GetItemsCount(Number(list.value), count)).toBe(0);
    expect(count.value).toBe(0);
    expect(prl.PrlApi_CreateStringsList(null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
  test('needs an initialised library', async () => {
    await prl.PrlApi_Deinit();
    expect(prl.PrlApi_CreateStringsList(ref<number>())).toBe(prl.PRL_ERR_API_WASNT_INITIALIZED);
  });
});
