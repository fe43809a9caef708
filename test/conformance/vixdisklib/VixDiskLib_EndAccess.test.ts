import { describe, expect, test } from 'vitest';
import { startVm } from '../vsphere/support.js';
import { useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_EndAccess', () => {
  test('lets go what the same identity held, once', async () => {
    const { service } = await startVm();
    vix.configureVixDiskLib({ service });
    const params = { vmxSpec: 'web' };
    expect(await vix.VixDiskLib_EndAccess(params, 'a')).toBe(vix.VIX_E_NOT_FOUND);
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'a')).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_EndAccess(params, 'a')).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_EndAccess(null, 'a')).toBe(vix.VIX_OK);
  });
});
