import { describe, expect, test } from 'vitest';
import { prl, ref, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlStrList_RemoveItem', () => {
  test('takes one out, and the next ones move up', async () => {
    const list = ref<number>();
    expect(prl.PrlApi_CreateStringsList(list)).toBe(0);
    const it = Number(list.value);
    for (const item of ['a', 'b', 'c']) prl.PrlStrList_AddItem(it, item);
    expect(prl.PrlStrList_RemoveItem(it, 1)).toBe(0);
    expect(await textOf((text, length) => prl.PrlStrList_GetItem(it, 1, text, length))).toBe('c');
    expect(prl.PrlStrList_RemoveItem(it, 2)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
