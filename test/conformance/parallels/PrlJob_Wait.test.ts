import { describe, expect, test } from 'vitest';
import { prl, startVm, useLibrary } from './support.js';

useLibrary();

describe('PrlJob_Wait', () => {
  test('waits, or says that the time is over', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    const job = prl.PrlVm_BeginBackup(vm, 0);
    expect(await prl.PrlJob_Wait(job, 0)).toBe(prl.PRL_ERR_TIMEOUT);
    expect(await prl.PrlJob_Wait(job, 30_000)).toBe(0);
    expect(await prl.PrlJob_Wait(vm, 0)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
