import { describe, expect, test } from 'vitest';
import { makeImage, open, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Close', () => {
  test('closes after what is on its way, once', async () => {
    const handle = await open(await makeImage('a.qcow2', 8 << 20));
    const done: number[] = [];
    for (let i = 0; i < 8; i += 1)
      expect(
        vix.VixDiskLib_WriteAsync(
          handle,
          i * 2048,
          2048,
          Buffer.alloc(1 << 20, i + 1),
          (_, result) => done.push(result),
          null,
        ),
      ).toBe(vix.VIX_ASYNC);
    expect(await vix.VixDiskLib_Close(handle)).toBe(vix.VIX_OK);
    expect(done).toEqual(Array(8).fill(vix.VIX_OK));
    expect(await vix.VixDiskLib_Close(handle)).toBe(vix.VIX_E_INVALID_HANDLE);
    expect(await vix.VixDiskLib_Close(null)).toBe(vix.VIX_E_INVALID_HANDLE);
  });
});
