import { describe, expect, test } from 'vitest';
import { beginBackup, prl, ref, startVm, useLibrary } from './support.js';

useLibrary();

describe('PrlVmBackup_GetDisksCount', () => {
  test('counts the disks', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    const backup = await beginBackup(vm);
    const count = ref<number>();
    expect(prl.PrlVmBackup_GetDisksCount(backup, count)).toBe(0);
    expect(count.value).toBe(1);
    expect(prl.PrlVmBackup_GetDisksCount(backup, null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlVmBackup_GetDisksCount(vm, count)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlHandle_Free(backup)).toBe(0);
  });
});
