import { describe, expect, test } from 'vitest';
import { ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_AllocateConnectParams', () => {
  test('gives empty parameters, which connect to this machine', async () => {
    const params = vix.VixDiskLib_AllocateConnectParams();
    const connection = ref<vix.VixDiskLibConnection>();
    expect(await vix.VixDiskLib_Connect(params, connection)).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Disconnect(connection.value!)).toBe(vix.VIX_OK);
  });
});
