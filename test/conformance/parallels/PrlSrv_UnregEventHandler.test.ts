import { describe, test } from 'vitest';
import { expectTakenOff, prl, serverOf, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_UnregEventHandler', () => {
  test('takes off the one that was registered with this data, once', async () => {
    await expectTakenOff(
      prl.PrlSrv_RegEventHandler,
      prl.PrlSrv_UnregEventHandler,
      await serverOf([]),
      prl.PrlSrv_Logoff,
    );
  });
});
