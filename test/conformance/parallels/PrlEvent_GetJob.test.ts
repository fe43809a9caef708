import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlEvent_GetJob', () => {
  test('is the job, with a reference more', async () => {
    const job = prl.PrlSrv_Logoff(77);
    expect(await codeOf(job)).toBe(prl.PRL_ERR_INVALID_ARG);
    const event = ref<number>();
    expect(prl.PrlJob_GetError(job, event)).toBe(0);
    const told = ref<number>();
    expect(prl.PrlEvent_GetJob(Number(event.value), told)).toBe(0);
    expect(told.value).toBe(job);
    expect(await prl.PrlHandle_Free(job)).toBe(0);
    expect(prl.PrlJob_GetStatus(job, ref<number>())).toBe(0);
  });
});
