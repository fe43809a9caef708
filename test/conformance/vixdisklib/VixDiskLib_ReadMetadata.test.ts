import { describe, expect, test } from 'vitest';
import { makeImage, open, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_ReadMetadata', () => {
  test('gives the text of a key by the rules of buffers', async () => {
    const handle = await open(await makeImage());
    const need = ref<number>();
    expect(await vix.VixDiskLib_ReadMetadata(handle, 'uuid', null, 0, need)).toBe(
      vix.VIX_E_DISK_KEY_NOTFOUND,
    );
    expect(await vix.VixDiskLib_WriteMetadata(handle, 'uuid', 'abc')).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_ReadMetadata(handle, 'uuid', null, 0, need)).toBe(vix.VIX_E_BUFFER_TOOSMALL);
    expect(need.value).toBe(4);
    const buffer = Buffer.alloc(4, 0xff);
    expect(await vix.VixDiskLib_ReadMetadata(handle, 'uuid', buffer, 3, need)).toBe(
      vix.VIX_E_BUFFER_TOOSMALL,
    );
    expect(await vix.VixDiskLib_ReadMetadata(handle, 'uuid', buffer, 4, null)).toBe(vix.VIX_OK);
    expect(buffer.toString()).toBe('abc\0');
    for (const key of ['__proto__', 'constructor'])
      expect(await vix.VixDiskLib_ReadMetadata(handle, key, buffer, 4, need)).toBe(
        vix.VIX_E_DISK_KEY_NOTFOUND,
      );
  });
});
