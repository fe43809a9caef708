import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlEvent_GetErrCode', () => {
  test('is the code of the job', async () => {
    const job = prl.PrlSrv_Logoff(77);
    expect(await codeOf(job)).toBe(prl.PRL_ERR_INVALID_ARG);
    const event = ref<number>();
    expect(prl.PrlJob_GetError(job, event)).toBe(0);
    const code = ref<number>();
    expect(prl.PrlEvent_GetErrCode(Number(event.value), code)).toBe(0);
    expect(code.value).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlEvent_GetErrCode(job, code)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
