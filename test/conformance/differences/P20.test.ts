/** docs/differences.md, P20. */
import { expect, test } from 'vitest';
import { beginBackup, codeOf, prl, ref, startVm, useLibrary } from '../parallels/support.js';

useLibrary();

test('P20: the text of a backup tells where its disks are read, and makes no backup of another handle', async () => {
  const { daemon, vm } = await startVm();
  await using _ = daemon;
  const backup = await beginBackup(vm);
  const text = ref<string>();
  expect(prl.PrlHandle_ToString(backup, text)).toBe(0);
  expect(text.value).toContain('<State>nbd');
  expect(prl.PrlHandle_FromString(backup, text.value ?? null)).toBe(prl.PRL_ERR_UNIMPLEMENTED);
  expect(await codeOf(prl.PrlVmBackup_Rollback(backup))).toBe(0);
});
