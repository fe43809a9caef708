import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_GetVmConfig', () => {
  test('finds a VM by name or UUID in any spelling, and says whom there is', async () => {
    prl.configureLocalServer([
      { name: 'web', uuid: '12345678-1234-4234-8234-123456789abc', qmpSocket: '/w' },
    ]);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    const handle = Number(server.value);
    await codeOf(prl.PrlSrv_LoginLocal(handle));
    for (const search of ['web', '{12345678-1234-4234-8234-123456789ABC}'])
      expect(await codeOf(prl.PrlSrv_GetVmConfig(handle, search))).toBe(0);
    expect(await codeOf(prl.PrlSrv_GetVmConfig(handle, 'mail'))).toBe(prl.PRL_ERR_VM_UUID_NOT_FOUND);
    const uuid = '12345678-1234-4234-8234-123456789abc';
    for (const [search, flags, found] of [
      ['web', prl.PGVC_SEARCH_BY_NAME, true],
      ['web', prl.PGVC_SEARCH_BY_UUID, false],
      [uuid, prl.PGVC_SEARCH_BY_UUID, true],
      [uuid, prl.PGVC_SEARCH_BY_NAME, false],
      [uuid, prl.PGVC_SEARCH_BY_NAME | prl.PGVC_SEARCH_BY_UUID, true],
    ] as const)
      expect([search, flags, await codeOf(prl.PrlSrv_GetVmConfig(handle, search, flags))]).toEqual([
        search,
        flags,
        found ? 0 : prl.PRL_ERR_VM_UUID_NOT_FOUND,
      ]);
  });
});
