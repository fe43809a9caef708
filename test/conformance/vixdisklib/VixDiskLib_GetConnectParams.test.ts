import { describe, expect, test } from 'vitest';
import { ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_GetConnectParams', () => {
  test('gives a copy, without credentials', async () => {
    const given = { serverName: 'here', creds: { uid: { password: 'secret' } } };
    const connection = ref<vix.VixDiskLibConnection>();
    await vix.VixDiskLib_Connect(given, connection);
    const params = ref<vix.VixDiskLibConnectParams>();
    expect(vix.VixDiskLib_GetConnectParams(connection.value!, params)).toBe(vix.VIX_OK);
    expect(params.value).toEqual({ serverName: 'here' });
    expect(vix.VixDiskLib_GetConnectParams(null, params)).toBe(vix.VIX_E_DISK_INVALID_CONNECTION);
    await vix.VixDiskLib_Disconnect(connection.value!);
  });
});
