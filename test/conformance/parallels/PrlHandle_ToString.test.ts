import { describe, expect, test } from 'vitest';
import { beginBackup, codeOf, prl, ref, startVm, useLibrary } from './support.js';

useLibrary();

describe('PrlHandle_ToString', () => {
  test('tells a VM, and a backup with what its disks are read from', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    const text = ref<string>();
    expect(prl.PrlHandle_ToString(vm, text)).toBe(0);
    expect(text.value).toContain('<VmName>');
    expect(prl.PrlBuffer_Free(text.value ?? null)).toBe(0);

    const backup = await beginBackup(vm);
    expect(prl.PrlHandle_ToString(backup, text)).toBe(0);
    expect(text.value).toMatch(/<Uuid>\{[0-9a-f-]{36}\}<\/Uuid>/);
    const [, state = ''] = /<State>(.*)<\/State>/.exec(text.value ?? '') ?? [];
    const disk = ref<number>();
    expect(await prl.PrlDisk_OpenDisk_Local(disk, state.replaceAll('&amp;', '&'), prl.PRL_DISK_READ)).toBe(0);
    const buffer = Buffer.alloc(512, 1);
    expect(await prl.PrlDisk_Read(Number(disk.value), buffer, 512, 0)).toBe(0);
    expect(buffer.every((byte) => byte === 0)).toBe(true);
    await prl.PrlDisk_Free(Number(disk.value));
    expect(await codeOf(prl.PrlVmBackup_Rollback(backup))).toBe(0);
  });
  test('refuses bad handles and boxes; what has no text is not implemented', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    expect(prl.PrlHandle_ToString(Number(server.value), ref<string>())).toBe(prl.PRL_ERR_UNIMPLEMENTED);
    expect(prl.PrlHandle_ToString(Number(server.value), null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlHandle_ToString(1, ref<string>())).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
