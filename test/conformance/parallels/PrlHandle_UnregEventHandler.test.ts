import { describe, test } from 'vitest';
import { expectTakenOff, prl, serverOf, useLibrary } from './support.js';

useLibrary();

describe('PrlHandle_UnregEventHandler', () => {
  test('takes off the one that was registered with this data, once', async () => {
    await expectTakenOff(
      prl.PrlHandle_RegEventHandler,
      prl.PrlHandle_UnregEventHandler,
      await serverOf([]),
      prl.PrlSrv_Logoff,
    );
  });
});
