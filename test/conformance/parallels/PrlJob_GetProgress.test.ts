import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlJob_GetProgress', () => {
  test('0 while it runs, 100 when it has ended', async () => {
    const job = prl.PrlSrv_Logoff(77);
    const percentage = ref<number>();
    expect(prl.PrlJob_GetProgress(job, percentage)).toBe(0);
    expect(percentage.value).toBe(0);
    await codeOf(job);
    expect(prl.PrlJob_GetProgress(job, percentage)).toBe(0);
    expect(percentage.value).toBe(100);
  });
});
