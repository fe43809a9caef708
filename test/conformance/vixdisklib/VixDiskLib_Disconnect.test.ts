import { describe, expect, test } from 'vitest';
import { connect, makeImage, open, path, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Disconnect', () => {
  test('closes what is open on it, once', async () => {
    const handle = await open(await makeImage());
    const connection = await connect();
    expect(await vix.VixDiskLib_Disconnect(connection)).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Disconnect(connection)).toBe(vix.VIX_E_DISK_INVALID_CONNECTION);
    for (const forged of [null, {}, 7, handle])
      expect(await vix.VixDiskLib_Disconnect(forged as never)).toBe(vix.VIX_E_DISK_INVALID_CONNECTION);
    const own = ref<vix.VixDiskLibHandle>();
    const second = await connect();
    await vix.VixDiskLib_Open(second, path('disk.qcow2'), READ_ONLY, own);
    expect(await vix.VixDiskLib_Close(handle)).toBe(vix.VIX_OK);
    await vix.VixDiskLib_Open(second, path('disk.qcow2'), READ_ONLY, own);
    expect(await vix.VixDiskLib_Disconnect(second)).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Read(own.value!, 0, 1, Buffer.alloc(512))).toBe(vix.VIX_E_INVALID_HANDLE);
  });
});
