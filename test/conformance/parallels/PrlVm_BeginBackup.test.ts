import { describe, expect, test } from 'vitest';
import { beginBackup, bitsOf, codeOf, mapOf, prl, ref, startVm, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlVm_BeginBackup', () => {
  test('full, then incremental: the disks of one instant, while the guest writes on', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    await daemon.guestIo('d', 'write -P 1 0 64k');
    const full = await beginBackup(vm);
    const fullDisk = ref<number>();
    expect(await prl.PrlVmBackup_GetDisk(full, 0, fullDisk)).toBe(0);
    await daemon.guestIo('d', 'write -P 2 0 64k', 'write -P 2 1M 64k');
    const buffer = Buffer.alloc(65536);
    expect(await prl.PrlDisk_Read(Number(fullDisk.value), buffer, 65536, 0)).toBe(0);
    expect(buffer.every((byte) => byte === 1)).toBe(true);
    expect(bitsOf(await mapOf(Number(fullDisk.value), null))).toEqual([0]);
    const uuid = await textOf((text, length) => prl.PrlVmBackup_GetUuid(full, text, length));
    expect(await codeOf(prl.PrlVmBackup_Commit(full))).toBe(0);

    const next = await beginBackup(vm);
    const disk = ref<number>();
    expect(await prl.PrlVmBackup_GetDisk(next, 0, disk)).toBe(0);
    expect(bitsOf(await mapOf(Number(disk.value), uuid))).toEqual([0, 16]);
    expect(await prl.PrlDisk_Write(Number(disk.value), buffer, 512, 0)).toBe(prl.PRL_ERR_FAILURE);
    expect(await codeOf(prl.PrlVmBackup_Rollback(next))).toBe(0);
  });
  test("a bad handle or flags are the job's code", async () => {
    expect(await codeOf(prl.PrlVm_BeginBackup(1, 0))).toBe(prl.PRL_ERR_INVALID_ARG);
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    expect(await codeOf(prl.PrlVm_BeginBackup(vm, -1))).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await codeOf(prl.PrlVm_BeginBackup(vm, prl.PBMBF_FSSYNC))).toBe(prl.PRL_ERR_INVALID_PARAM);
    const open = await beginBackup(vm);
    expect(await codeOf(prl.PrlVm_BeginBackup(vm, 0))).toBe(prl.PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED);
    expect(await codeOf(prl.PrlVmBackup_Rollback(open))).toBe(0);
  });
});
