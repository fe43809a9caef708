import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlJob_GetStatus', () => {
  test('running, then finished', async () => {
    const job = prl.PrlSrv_Logoff(77);
    const status = ref<number>();
    expect(prl.PrlJob_GetStatus(job, status)).toBe(0);
    expect(status.value).toBe(prl.PJS_RUNNING);
    await prl.PrlJob_Wait(job, 1000);
    prl.PrlJob_GetStatus(job, status);
    expect(status.value).toBe(prl.PJS_FINISHED);
  });
});
