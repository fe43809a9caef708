import { describe, expect, test } from 'vitest';
import { prl, ref, resultOf, serverOf, TWO_VMS, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_GetVmListEx', () => {
  test('gives every VM, whatever the flags', async () => {
    const result = await resultOf(prl.PrlSrv_GetVmListEx(await serverOf(TWO_VMS), 7));
    const count = ref<number>();
    expect(prl.PrlResult_GetParamsCount(result, count)).toBe(0);
    expect(count.value).toBe(2);
  });
});
