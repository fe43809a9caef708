import { describe, expect, test } from 'vitest';
import { prl, useLibrary } from './support.js';

useLibrary();

describe('PrlApi_InitEx', () => {
  test('takes PAM_SERVER, and no other mode', async () => {
    expect(prl.PrlApi_InitEx(prl.VIRTUOZZO_API_VER, prl.PAM_SERVER, 0, 0)).toBe(0);
    expect(await prl.PrlApi_Deinit()).toBe(0);
    // @ts-expect-error a mode that the SDK does not have
    expect(prl.PrlApi_InitEx(prl.VIRTUOZZO_API_VER, 1, 0, 0)).toBe(prl.PRL_ERR_UNIMPLEMENTED);
    expect(prl.PrlApi_InitEx(8 << 16, prl.PAM_SERVER, 0, 0)).toBe(prl.PRL_ERR_API_INCOMPATIBLE);
  });
});
