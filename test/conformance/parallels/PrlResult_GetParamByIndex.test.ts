import { describe, expect, test } from 'vitest';
import { prl, ref, resultOf, serverOf, TWO_VMS, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlResult_GetParamByIndex', () => {
  test('gives each parameter as a handle, and no more than there are', async () => {
    const result = await resultOf(prl.PrlSrv_GetVmList(await serverOf(TWO_VMS)));
    const names: string[] = [];
    for (const index of [0, 1]) {
      const vm = ref<number>();
      expect(prl.PrlResult_GetParamByIndex(result, index, vm)).toBe(0);
      names.push(await textOf((text, length) => prl.PrlVmCfg_GetName(Number(vm.value), text, length)));
    }
    expect(names).toEqual(['a', 'b']);
    expect(prl.PrlResult_GetParamByIndex(result, 2, ref<number>())).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlResult_GetParamByIndex(result, 0, null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
