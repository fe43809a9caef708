import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_GetVmListEx', () => {
  test('gives every VM, whatever the flags', async () => {
    prl.configureLocalServer([
      { name: 'a', qmp: '/a' },
      { name: 'b', qmp: '/b' },
    ]);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)));
    const job = prl.PrlSrv_GetVmListEx(Number(server.value), 7);
    expect(await codeOf(job)).toBe(0);
    const result = ref<number>();
    prl.PrlJob_GetResult(job, result);
    const count = ref<number>();
    expect(prl.PrlResult_GetParamsCount(Number(result.value), count)).toBe(0);
    expect(count.value).toBe(2);
  });
});
