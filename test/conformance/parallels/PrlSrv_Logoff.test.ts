import { describe, expect, test } from 'vitest';
import { beginBackup, codeOf, prl, startVm, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_Logoff', () => {
  test('rolls back what is open', async () => {
    const { daemon, server, vm } = await startVm();
    await using _ = daemon;
    const backup = await beginBackup(vm);
    expect(await codeOf(prl.PrlSrv_Logoff(server))).toBe(0);
    expect(await codeOf(prl.PrlVmBackup_Commit(backup))).toBe(prl.PRL_ERR_BACKUP_BACKUP_NOT_FOUND);
    const exports = (await daemon.process.control.execute('query-block-exports')) as { id: string }[];
    expect(exports.filter(({ id }) => id.startsWith('cbt'))).toEqual([]);
    expect(await codeOf(prl.PrlSrv_GetVmList(server))).toBe(prl.PRL_ERR_INVALID_PARAM);
  });
});
