/** docs/differences.md, P26. */
import { expect, test } from 'vitest';
import { codeOf, prl, ref, serverOf, TWO_VMS, useLibrary } from '../parallels/support.js';

useLibrary();

test('P26: a job is done by nothing, or by all', async () => {
  const job = prl.PrlSrv_GetVmList(await serverOf(TWO_VMS));
  const percentage = ref<number>();
  expect(prl.PrlJob_GetProgress(job, percentage)).toBe(0);
  expect(percentage.value).toBe(0);
  await codeOf(job);
  expect(prl.PrlJob_GetProgress(job, percentage)).toBe(0);
  expect(percentage.value).toBe(100);
});
