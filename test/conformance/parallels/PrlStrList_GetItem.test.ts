import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlStrList_GetItem', () => {
  test('tells the length first, then the text; past the last there is none', () => {
    const list = ref<number>();
    expect(prl.PrlApi_CreateStringsList(list)).toBe(0);
    const it = Number(list.value);
    prl.PrlStrList_AddItem(it, 'text');
    const length = ref(0);
    expect(prl.PrlStrList_GetItem(it, 0, null, length)).toBe(0);
    expect(length.value).toBe(5);
    const short = Buffer.alloc(3);
    length.value = 3;
    expect(prl.PrlStrList_GetItem(it, 0, short, length)).toBe(prl.PRL_ERR_BUFFER_OVERRUN);
    expect([short.toString(), length.value]).toEqual(['tex', 5]);
    for (const index of [1, -1, 0.5, 2 ** 32])
      expect(prl.PrlStrList_GetItem(it, index, null, length)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
