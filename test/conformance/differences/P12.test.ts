/** docs/differences.md, P12. */
import { expect, test } from 'vitest';
import { codeOf, handleOf, path, prl, ref, useLibrary } from '../parallels/support.js';

useLibrary();

test('P12: a VM that does not run, and whose images nobody names, cannot be backed up', async () => {
  prl.configureLocalServer([{ name: 'off', qmpSocket: path('off.qmp') }]);
  const server = ref<number>();
  prl.PrlSrv_Create(server);
  await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)));
  const vm = await handleOf(prl.PrlSrv_GetVmConfig(Number(server.value), 'off'));
  expect(await codeOf(prl.PrlVm_BeginBackup(vm, 0))).toBe(prl.PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED);
});
