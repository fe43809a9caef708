import { describe, expect, test } from 'vitest';
import { KIB64, makeImage, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlDiskOpenPolicy_CreateOffset', () => {
  test('shifts every read and write', async () => {
    const { file } = await makeImage([[[KIB64, 512]]]);
    const policy = ref<number>();
    expect(prl.PrlDiskOpenPolicy_CreateOffset(policy, BigInt(KIB64))).toBe(0);
    const policies = ref<number>();
    expect(prl.PrlApi_CreateHandlesList(policies)).toBe(0);
    expect(prl.PrlHndlList_AddItem(Number(policies.value), Number(policy.value))).toBe(0);
    const disk = ref<number>();
    expect(await prl.PrlDisk_OpenDisk_Local(disk, file, prl.PRL_DISK_READ, Number(policies.value))).toBe(0);
    const buffer = Buffer.alloc(1024);
    expect(await prl.PrlDisk_Read(Number(disk.value), buffer, 1024, 0)).toBe(0);
    expect(buffer.subarray(0, 512).every((byte) => byte === 0xcd)).toBe(true);
    expect(buffer.subarray(512).every((byte) => byte === 0)).toBe(true);
  });
  test('refuses NULL and an offset that cannot be', () => {
    expect(prl.PrlDiskOpenPolicy_CreateOffset(null, 0)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlDiskOpenPolicy_CreateOffset(ref<number>(), 2n ** 63n)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
