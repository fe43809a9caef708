import { describe, test } from 'vitest';
import { expectTakenOff, handleOf, prl, serverOf, useLibrary } from './support.js';

useLibrary();

const VM = { name: 'a', qmpSocket: '/nowhere' };

describe('PrlVm_UnregEventHandler', () => {
  test('takes off the one that was registered with this data, once', async () => {
    await expectTakenOff(
      prl.PrlVm_RegEventHandler,
      prl.PrlVm_UnregEventHandler,
      await handleOf(prl.PrlSrv_GetVmConfig(await serverOf([VM]), 'a')),
      (vm) => prl.PrlVm_BeginBackup(vm, 0),
    );
  });
});
