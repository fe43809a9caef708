import { describe, expect, test } from 'vitest';
import { connect, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_GetErrorText', () => {
  test('tells what a code means, and why it was answered last; high bits do not count', async () => {
    expect(vix.VixDiskLib_GetErrorText(vix.VIX_OK, null)).toBe('Done');
    expect(await vix.VixDiskLib_Open(await connect(), '/no/such/disk', 0, ref())).toBe(
      vix.VIX_E_FILE_NOT_FOUND,
    );
    expect(vix.VixDiskLib_GetErrorText(vix.VIX_E_FILE_NOT_FOUND + 65536 * 7)).toBe(
      'No such file, or no such disk: /no/such/disk is not there',
    );
    expect(vix.VixDiskLib_GetErrorText(54321)).toBe('Unknown error 54321');
    // A code without words here is told by its name.
    expect(vix.VixDiskLib_GetErrorText(14009)).toBe('VIX_E_HOST_NETWORK_CONN_REFUSED');
    expect(vix.VixDiskLib_GetErrorText(14009n + (7n << 40n))).toBe('VIX_E_HOST_NETWORK_CONN_REFUSED');
  });
});
