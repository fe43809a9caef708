import { describe, expect, test } from 'vitest';
import { connect, makeImage, open, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Grow', () => {
  test('grows, and never shrinks', async () => {
    const connection = await connect();
    const file = await makeImage();
    expect(await vix.VixDiskLib_Grow(connection, file, 4096, true)).toBe(vix.VIX_OK);
    const info = ref<vix.VixDiskLibInfo>();
    vix.VixDiskLib_GetInfo(await open(file, READ_ONLY), info);
    expect(info.value!.capacity).toBe(4096);
    expect(await vix.VixDiskLib_Grow(connection, file, 2048, false)).toBe(vix.VIX_E_NOT_SUPPORTED);
  });
});
