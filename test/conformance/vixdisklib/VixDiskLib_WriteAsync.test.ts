import { describe, expect, test } from 'vitest';
import { makeImage, open, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_WriteAsync', () => {
  test('writes, and tells the outcome', async () => {
    const file = await makeImage('a.qcow2', 4 << 20);
    const handle = await open(file);
    const results: number[] = [];
    for (let i = 0; i < 64; i += 1)
      expect(
        vix.VixDiskLib_WriteAsync(
          handle,
          i * 128,
          128,
          Buffer.alloc(65536, i + 1),
          (_, result) => results.push(result),
          null,
        ),
      ).toBe(vix.VIX_ASYNC);
    expect(await vix.VixDiskLib_Wait(handle)).toBe(vix.VIX_OK);
    expect(results).toEqual(Array(64).fill(vix.VIX_OK));
    const buffer = Buffer.alloc(4 << 20);
    expect(await vix.VixDiskLib_Read(handle, 0, 8192, buffer)).toBe(vix.VIX_OK);
    for (let i = 0; i < 64; i += 1)
      expect([i, buffer[i * 65536], buffer[i * 65536 + 65535]]).toEqual([i, i + 1, i + 1]);
  });
});
