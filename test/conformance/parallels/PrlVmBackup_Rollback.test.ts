import { describe, expect, test } from 'vitest';
import { beginBackup, bitsOf, codeOf, mapOf, prl, ref, startVm, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlVmBackup_Rollback', () => {
  test('the point goes, and the next backup covers this period too', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    const first = await beginBackup(vm);
    const uuid = await textOf((text, length) => prl.PrlVmBackup_GetUuid(first, text, length));
    expect(await codeOf(prl.PrlVmBackup_Commit(first))).toBe(0);
    await daemon.guestIo('d', 'write 0 64k');
    const failed = await beginBackup(vm);
    await daemon.guestIo('d', 'write 1M 64k');
    expect(await codeOf(prl.PrlVmBackup_Rollback(failed))).toBe(0);
    const next = await beginBackup(vm);
    const disk = ref<number>();
    expect(await prl.PrlVmBackup_GetDisk(next, 0, disk)).toBe(0);
    expect(bitsOf(await mapOf(Number(disk.value), uuid))).toEqual([0, 16]);
    expect(await prl.PrlHandle_Free(next)).toBe(0);
  });
});
