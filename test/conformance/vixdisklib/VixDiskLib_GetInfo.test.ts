import { describe, expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_GetInfo', () => {
  test('tells capacity, geometry and layers', async () => {
    const handle = await open(await makeImage('a.qcow2', 64 << 20), READ_ONLY);
    const info = ref<vix.VixDiskLibInfo>();
    expect(vix.VixDiskLib_GetInfo(handle, info)).toBe(vix.VIX_OK);
    expect(info.value).toMatchObject({
      capacity: 131072,
      numLinks: 1,
      adapterType: 3,
      parentFileNameHint: null,
      logicalSectorSize: 512,
      physicalSectorSize: 512,
      biosGeo: { cylinders: 8, heads: 255, sectors: 63 },
    });
    expect(vix.VixDiskLib_GetInfo(handle, null)).toBe(vix.VIX_E_INVALID_ARG);
    expect(vix.VixDiskLib_GetInfo(null, info)).toBe(vix.VIX_E_INVALID_HANDLE);
  });
});
