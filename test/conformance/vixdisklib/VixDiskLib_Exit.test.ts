import { describe, expect, test } from 'vitest';
import { ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Exit', () => {
  test('ends the use of the library', async () => {
    vix.VixDiskLib_Exit();
    expect(await vix.VixDiskLib_ConnectEx(null, true, null, null, ref())).toBe(vix.VIX_E_DISK_NOINIT);
  });
});
