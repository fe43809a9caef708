import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlJob_GetResult', () => {
  test('gives the result of a job that succeeded, an empty one of a job that failed, and none while it runs', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    const good = prl.PrlSrv_Logoff(Number(server.value));
    await prl.PrlJob_Wait(good, 1000);
    const result = ref<number>();
    expect(prl.PrlJob_GetResult(good, result)).toBe(0);
    const bad = prl.PrlSrv_Logoff(77);
    expect(prl.PrlJob_GetResult(bad, result)).toBe(prl.PRL_ERR_OPERATION_PENDING);
    await prl.PrlJob_Wait(bad, 1000);
    expect(prl.PrlJob_GetResult(bad, result)).toBe(0);
    const count = ref<number>();
    expect(prl.PrlResult_GetParamsCount(Number(result.value), count)).toBe(0);
    expect(count.value).toBe(0);
  });
});
