import { describe, expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Read', () => {
  test('reads whole sectors, as they are in the image', async () => {
    const handle = await open(
      await makeImage('a.qcow2', 1 << 20, ['write -P 7 1k 512', 'write -P 9 1048064 512']),
      READ_ONLY,
    );
    const buffer = Buffer.alloc(2048, 1);
    expect(await vix.VixDiskLib_Read(handle, 1, 3, buffer)).toBe(vix.VIX_OK);
    expect([buffer[511], buffer[512], buffer[1023], buffer[1024], buffer[1536]]).toEqual([0, 7, 7, 0, 1]);
    expect(await vix.VixDiskLib_Read(handle, 2047n, 1n, buffer)).toBe(vix.VIX_OK);
    expect(buffer[0]).toBe(9);
    expect(await vix.VixDiskLib_Read(handle, 2047, 2, buffer)).toBe(vix.VIX_E_DISK_OUTOFRANGE);
    expect(await vix.VixDiskLib_Read(handle, 2 ** 60, 1, buffer)).toBe(vix.VIX_E_INVALID_ARG);
    expect(await vix.VixDiskLib_Read(handle, 0, 5, buffer)).toBe(vix.VIX_E_INVALID_ARG);
    expect(await vix.VixDiskLib_Read(handle, 0, 1, null)).toBe(vix.VIX_E_INVALID_ARG);
    expect(await vix.VixDiskLib_Read(handle, -1, 1, buffer)).toBe(vix.VIX_E_INVALID_ARG);
    expect(await vix.VixDiskLib_Read(handle, 0, 0, buffer)).toBe(vix.VIX_OK);
  });
});
