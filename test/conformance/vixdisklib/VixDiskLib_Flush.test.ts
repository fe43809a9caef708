import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { makeImage, open, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Flush', () => {
  test('what was written is in the file', async () => {
    const file = await makeImage();
    const handle = await open(file);
    const marker = Buffer.alloc(512, 'flushed!');
    vix.VixDiskLib_WriteAsync(handle, 0, 1, marker, () => undefined, null);
    expect(await vix.VixDiskLib_Flush(handle)).toBe(vix.VIX_OK);
    expect(readFileSync(file).includes(marker)).toBe(true);
    expect(await vix.VixDiskLib_Flush(null)).toBe(vix.VIX_E_INVALID_HANDLE);
  });
});
