import { describe, expect, test } from 'vitest';
import { makeImage, open, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_GetMetadataKeys', () => {
  test('lists the keys, each ended by NUL and one more behind', async () => {
    const handle = await open(await makeImage());
    await vix.VixDiskLib_WriteMetadata(handle, 'a', '1');
    await vix.VixDiskLib_WriteMetadata(handle, 'bc', '2');
    const need = ref<number>();
    expect(await vix.VixDiskLib_GetMetadataKeys(handle, null, 0, need)).toBe(vix.VIX_E_BUFFER_TOOSMALL);
    expect(need.value).toBe(6);
    const buffer = Buffer.alloc(6, 0xff);
    expect(await vix.VixDiskLib_GetMetadataKeys(handle, buffer, 6, need)).toBe(vix.VIX_OK);
    expect(buffer.toString()).toBe('a\0bc\0\0');
  });
});
