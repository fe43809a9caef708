import { describe, test } from 'vitest';
import { expectTold, prl, serverOf, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_RegEventHandler', () => {
  test('the function is told of each job that ended', async () => {
    await expectTold(prl.PrlSrv_RegEventHandler, await serverOf([]), prl.PrlSrv_Logoff, prl.PRL_ERR_SUCCESS);
  });
});
