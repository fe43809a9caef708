import { describe, expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_SpaceNeededForClone', () => {
  test('is the capacity for a flat copy, less for a sparse one', async () => {
    const handle = await open(await makeImage('a.qcow2', 64 << 20, ['write 0 64k']), READ_ONLY);
    const space = ref<number>();
    expect(await vix.VixDiskLib_SpaceNeededForClone(handle, vix.VIXDISKLIB_DISK_MONOLITHIC_FLAT, space)).toBe(
      vix.VIX_OK,
    );
    expect(space.value).toBe(64 << 20);
    expect(
      await vix.VixDiskLib_SpaceNeededForClone(handle, vix.VIXDISKLIB_DISK_MONOLITHIC_SPARSE, space),
    ).toBe(vix.VIX_OK);
    expect(space.value).toBeLessThan(1 << 20);
  });
});
