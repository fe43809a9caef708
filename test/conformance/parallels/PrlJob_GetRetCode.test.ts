import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlJob_GetRetCode', () => {
  test('tells the code of a finished job, and that one still runs', async () => {
    const job = prl.PrlSrv_Logoff(77);
    const code = ref<number>();
    expect(prl.PrlJob_GetRetCode(job, code)).toBe(0);
    expect(code.value).toBe(prl.PRL_ERR_UNINITIALIZED);
    await prl.PrlJob_Wait(job, 1000);
    expect(prl.PrlJob_GetRetCode(job, code)).toBe(0);
    expect(code.value).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlJob_GetRetCode(job, null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
