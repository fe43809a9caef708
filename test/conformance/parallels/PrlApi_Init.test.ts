import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlApi_Init', () => {
  test('is counted: a second call is undone by a second PrlApi_Deinit', async () => {
    expect(prl.PrlApi_Init(1)).toBe(0);
    expect(await prl.PrlApi_Deinit()).toBe(0);
    expect(prl.PrlSrv_Create(ref<number>())).toBe(0);
  });
  test('refuses a program written for a newer library; the top three bits do not count', async () => {
    expect(prl.PrlApi_Init(8 << 16)).toBe(prl.PRL_ERR_API_INCOMPATIBLE);
    expect(prl.PrlApi_Init(((7 << 16) | 0xe0000000) >>> 0)).toBe(0);
    expect(await prl.PrlApi_Deinit()).toBe(0);
    expect(prl.PrlApi_Init(-1)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
