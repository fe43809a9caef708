import { describe, expect, test } from 'vitest';
import { ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Connect', () => {
  test('NULL is this machine; every parameter may be NULL', async () => {
    const connection = ref<vix.VixDiskLibConnection>();
    expect(await vix.VixDiskLib_Connect(null, connection)).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Disconnect(connection.value!)).toBe(vix.VIX_OK);
    const none = { vmxSpec: null, serverName: null, thumbPrint: null, creds: null, vimApiVer: null };
    expect(await vix.VixDiskLib_Connect(none, connection)).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Disconnect(connection.value!)).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Connect(null, null)).toBe(vix.VIX_E_INVALID_ARG);
  });
  test('a VM without a snapshot is not read', async () => {
    expect(await vix.VixDiskLib_Connect({ vmxSpec: 'moref=vm-1' }, ref())).toBe(
      vix.VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT,
    );
  });
});
