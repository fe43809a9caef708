import { describe, expect, test } from 'vitest';
import { codeOf, prl, startVm, useLibrary } from './support.js';

useLibrary();

describe('PrlJob_Cancel', () => {
  test('stops a job; one that was done before stays done', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    const job = prl.PrlVm_BeginBackup(vm, 0);
    expect(await codeOf(prl.PrlJob_Cancel(job))).toBe(0);
    expect(await codeOf(job)).toBe(prl.PRL_ERR_OPERATION_WAS_CANCELED);
    const again = prl.PrlVm_BeginBackup(vm, 0);
    expect(await codeOf(again)).toBe(0);
    expect(await codeOf(prl.PrlJob_Cancel(again))).toBe(0);
    expect(await codeOf(again)).toBe(0);
  });
});
