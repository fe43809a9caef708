import { describe, expect, test } from 'vitest';
import { prl, ref, resultOf, serverOf, TWO_VMS, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_GetVmListEx', () => {
  test.each([
    ['all', 0, 2],
    ['VMs', prl.PVTF_VM, 2],
    ['VMs and containers, with their states', prl.PVTF_VM | prl.PVTF_CT | prl.PGVLF_GET_STATE_INFO, 2],
    ['containers', prl.PVTF_CT, 0],
    ['templates', prl.PVTF_VM | prl.PGVLF_GET_ONLY_VM_TEMPLATES, 0],
  ])('gives what the flags ask for: %s', async (_, flags, expected) => {
    const result = await resultOf(prl.PrlSrv_GetVmListEx(await serverOf(TWO_VMS), flags));
    const count = ref<number>();
    expect(prl.PrlResult_GetParamsCount(result, count)).toBe(0);
    expect(count.value).toBe(expected);
  });
});
