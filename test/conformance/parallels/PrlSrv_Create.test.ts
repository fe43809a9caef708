import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_Create', () => {
  test('makes a server, once the library is initialised', async () => {
    expect(prl.PrlSrv_Create(ref<number>())).toBe(0);
    expect(prl.PrlSrv_Create(null)).toBe(prl.PRL_ERR_INVALID_ARG);
    await prl.PrlApi_Deinit();
    expect(prl.PrlSrv_Create(ref<number>())).toBe(prl.PRL_ERR_API_WASNT_INITIALIZED);
  });
});
