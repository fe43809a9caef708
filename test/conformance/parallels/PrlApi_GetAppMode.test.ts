import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlApi_GetAppMode', () => {
  test('is PAM_SERVER once the library is initialised', async () => {
    const mode = ref<number>();
    expect(prl.PrlApi_GetAppMode(mode)).toBe(0);
    expect(mode.value).toBe(prl.PAM_SERVER);
    expect(prl.PrlApi_GetAppMode(null)).toBe(prl.PRL_ERR_INVALID_ARG);
    await prl.PrlApi_Deinit();
    expect(prl.PrlApi_GetAppMode(mode)).toBe(prl.PRL_ERR_API_WASNT_INITIALIZED);
  });
});
