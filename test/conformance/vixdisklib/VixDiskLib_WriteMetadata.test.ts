import { describe, expect, test } from 'vitest';
import { connect, makeImage, open, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_WriteMetadata', () => {
  test('keeps texts over closing, and refuses a disk that is only read', async () => {
    const file = await makeImage();
    const handle = await open(file);
    expect(await vix.VixDiskLib_WriteMetadata(handle, 'adapterType', 'lsilogic')).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_WriteMetadata(handle, 'a\0b', 'x')).toBe(vix.VIX_E_INVALID_ARG);
    await vix.VixDiskLib_Close(handle);
    const again = await open(file, READ_ONLY);
    const buffer = Buffer.alloc(16);
    expect(await vix.VixDiskLib_ReadMetadata(again, 'adapterType', buffer, 16, null)).toBe(vix.VIX_OK);
    expect(buffer.toString().startsWith('lsilogic\0')).toBe(true);
    expect(await vix.VixDiskLib_WriteMetadata(again, 'a', 'b')).toBe(vix.VIX_E_FILE_READ_ONLY);
  });

  test('many at once all stay; a new image of the name has none of them', async () => {
    const file = await makeImage();
    const handle = await open(file);
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const codes = await Promise.all(keys.map((key) => vix.VixDiskLib_WriteMetadata(handle, key, 'v')));
    expect(codes).toEqual(Array(20).fill(vix.VIX_OK));
    const need = ref<number>();
    await vix.VixDiskLib_GetMetadataKeys(handle, null, 0, need);
    expect(need.value).toBe(keys.join('').length + keys.length + 1);
    await vix.VixDiskLib_Close(handle);
    expect(await vix.VixDiskLib_Unlink(await connect(), file)).toBe(vix.VIX_OK);
    const again = await open(await makeImage());
    await vix.VixDiskLib_GetMetadataKeys(again, null, 0, need);
    expect(need.value).toBe(1);
  });
});
