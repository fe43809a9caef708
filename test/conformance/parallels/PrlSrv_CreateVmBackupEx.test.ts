import { describe, expect, test } from 'vitest';
import { codeOf, prl, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_CreateVmBackupEx', () => {
  test('is there, and its job says that it is not implemented', async () => {
    expect(await codeOf(prl.PrlSrv_CreateVmBackupEx(1, null, 'host', 0, null, null, 0, 0, 0, null))).toBe(
      prl.PRL_ERR_UNIMPLEMENTED,
    );
  });
});
