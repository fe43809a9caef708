import { describe, expect, test } from 'vitest';
import { PRL_FAILED } from '../../../lib/facade/parallels/index.js';
import { beginBackup, codeOf, prl, ref, startVm, useLibrary } from './support.js';

useLibrary();

describe('PrlVmBackup_GetDisk', () => {
  test('opens a disk read-only; an index too big is refused, and nothing opens after the end', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    const backup = await beginBackup(vm);
    const disk = ref<number>();
    expect(await prl.PrlVmBackup_GetDisk(backup, 1, disk)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlVmBackup_GetDisk(backup, 0, null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlVmBackup_GetDisk(backup, 0, disk)).toBe(0);
    const info = ref<prl.PRL_DISK_PARAMETERS>();
    expect(prl.PrlDisk_GetDiskInfo(Number(disk.value), info, ref(4096))).toBe(0);
    expect(info.value?.m_SizeInSectors).toBe(64 * 128);
    expect(await codeOf(prl.PrlVmBackup_Commit(backup))).toBe(0);
    expect(await prl.PrlVmBackup_GetDisk(backup, 0, disk)).toBe(prl.PRL_ERR_BACKUP_BACKUP_NOT_FOUND);
    expect(PRL_FAILED(await prl.PrlDisk_Read(Number(disk.value), Buffer.alloc(512), 512, 0))).toBe(true);
  });
});
