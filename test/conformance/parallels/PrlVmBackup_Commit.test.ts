import { describe, expect, test } from 'vitest';
import { connectVm } from '../../../lib/host/vm.js';
import { beginBackup, codeOf, prl, startVm, useLibrary } from './support.js';

useLibrary();

describe('PrlVmBackup_Commit', () => {
  test('keeps the point in time; without PBMBF_CREATE_MAP none is left', async () => {
    const { daemon, vm } = await startVm({ keepPoints: 2 });
    await using _ = daemon;
    const pits = async (): Promise<number> => {
      await using machine = await connectVm(daemon.process.file('qmp.sock'));
      await using disk = await machine.openDisk('d');
      return (await disk.pits()).pits.length;
    };
    const kept = await beginBackup(vm);
    expect(await codeOf(prl.PrlVmBackup_Commit(kept))).toBe(0);
    expect(await pits()).toBe(1);
    const unnamed = await beginBackup(vm, 0);
    expect(await codeOf(prl.PrlVmBackup_Commit(unnamed))).toBe(0);
    expect(await pits()).toBe(1);
    expect(await codeOf(prl.PrlVmBackup_Commit(unnamed))).toBe(prl.PRL_ERR_BACKUP_BACKUP_NOT_FOUND);
    // As many as its owner said.
    for (const left of [2, 2]) {
      expect(await codeOf(prl.PrlVmBackup_Commit(await beginBackup(vm)))).toBe(0);
      expect(await pits()).toBe(left);
    }
  });

  test('cancelled, the backup is still there, and another job ends it', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    const backup = await beginBackup(vm);
    const ending = prl.PrlVmBackup_Commit(backup);
    prl.PrlJob_Cancel(ending);
    expect(await codeOf(ending)).toBe(prl.PRL_ERR_OPERATION_WAS_CANCELED);
    expect(await codeOf(prl.PrlVmBackup_Commit(backup))).toBe(0);
    expect(await codeOf(prl.PrlVmBackup_Commit(backup))).toBe(prl.PRL_ERR_BACKUP_BACKUP_NOT_FOUND);
  });
});
