import { describe, expect, test } from 'vitest';
import { prl, ref, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlStrList_AddItem', () => {
  test('adds texts in their order; not NULL, and not to what is no list', async () => {
    const list = ref<number>();
    expect(prl.PrlApi_CreateStringsList(list)).toBe(0);
    const it = Number(list.value);
    for (const item of ['a', 'é', '']) expect(prl.PrlStrList_AddItem(it, item)).toBe(0);
    const items = await Promise.all(
      [0, 1, 2].map((n) => textOf((text, length) => prl.PrlStrList_GetItem(it, n, text, length))),
    );
    expect(items).toEqual(['a', 'é', '']);
    expect(prl.PrlStrList_AddItem(it, null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlStrList_AddItem(it + 1, 'a')).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
