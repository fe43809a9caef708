import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlResult_GetParamByIndex', () => {
  test('gives each parameter as a handle, and no more than there are', async () => {
    prl.configureLocalServer([
      { name: 'a', qmp: '/a' },
      { name: 'b', qmp: '/b' },
    ]);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)));
    const job = prl.PrlSrv_GetVmList(Number(server.value));
    await codeOf(job);
    const result = ref<number>();
    prl.PrlJob_GetResult(job, result);
    const names: string[] = [];
    for (const index of [0, 1]) {
      const vm = ref<number>();
      expect(prl.PrlResult_GetParamByIndex(Number(result.value), index, vm)).toBe(0);
      names.push(await textOf((text, length) => prl.PrlVmCfg_GetName(Number(vm.value), text, length)));
    }
    expect(names).toEqual(['a', 'b']);
    expect(prl.PrlResult_GetParamByIndex(Number(result.value), 2, ref<number>())).toBe(
      prl.PRL_ERR_INVALID_ARG,
    );
    expect(prl.PrlResult_GetParamByIndex(Number(result.value), 0, null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
