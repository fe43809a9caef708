import { describe, test } from 'vitest';
import { expectTold, handleOf, prl, serverOf, useLibrary } from './support.js';

useLibrary();

const VM = { name: 'a', qmpSocket: '/nowhere' };

describe('PrlVm_RegEventHandler', () => {
  test('the function is told of each job that ended', async () => {
    await expectTold(
      prl.PrlVm_RegEventHandler,
      await handleOf(prl.PrlSrv_GetVmConfig(await serverOf([VM]), 'a')),
      (vm) => prl.PrlVm_BeginBackup(vm, 0),
      prl.PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED,
    );
  });
});
