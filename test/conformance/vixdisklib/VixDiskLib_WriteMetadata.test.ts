import { describe, expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, useLibrary, vix } from './support.js';

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
});
