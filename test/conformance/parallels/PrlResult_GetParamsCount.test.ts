import { describe, expect, test } from 'vitest';
import { prl, ref, resultOf, serverOf, TWO_VMS, useLibrary } from './support.js';

useLibrary();

describe('PrlResult_GetParamsCount', () => {
  test('counts', async () => {
    const job = prl.PrlSrv_GetVmList(await serverOf(TWO_VMS));
    const result = await resultOf(job);
    const count = ref<number>();
    expect(prl.PrlResult_GetParamsCount(result, count)).toBe(0);
    expect(count.value).toBe(2);
    expect(prl.PrlResult_GetParamsCount(job, count)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
