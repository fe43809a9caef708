/** docs/differences.md, P13. */
import { expect, test } from 'vitest';
import { beginBackup, codeOf, prl, startVm, useLibrary } from '../parallels/support.js';

useLibrary();

test('P13: a backup whose last handle is freed is rolled back, and the next one begins', async () => {
  const { daemon, vm } = await startVm();
  await using _ = daemon;
  const job = prl.PrlVm_BeginBackup(vm, prl.PBMBF_CREATE_MAP);
  expect(await codeOf(job)).toBe(0);
  const result = prl.ref(0);
  const backup = prl.ref(0);
  expect(prl.PrlJob_GetResult(job, result)).toBe(0);
  expect(prl.PrlResult_GetParam(result.value, backup)).toBe(0);
  // Only one backup at a time, so the next one tells whether this one is over.
  expect(await codeOf(prl.PrlVm_BeginBackup(vm, 0))).toBe(prl.PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED);
  expect(await prl.PrlHandle_Free(backup.value)).toBe(0);
  expect(await codeOf(prl.PrlVmBackup_Commit(await beginBackup(vm)))).toBe(0);
});
