import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlResult_GetParamsCount', () => {
  test('counts', async () => {
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
    const count = ref<number>();
    expect(prl.PrlResult_GetParamsCount(Number(result.value), count)).toBe(0);
    expect(count.value).toBe(2);
    expect(prl.PrlResult_GetParamsCount(job, count)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
