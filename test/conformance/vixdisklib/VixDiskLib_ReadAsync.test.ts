import { describe, expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_ReadAsync', () => {
  test('many at a time, each with its outcome', async () => {
    const handle = await open(
      await makeImage(
        'a.qcow2',
        16 << 20,
        Array.from({ length: 16 }, (_, i) => `write -P ${i + 1} ${i}M 1M`),
      ),
      READ_ONLY,
    );
    const buffers = Array.from({ length: 16 }, () => Buffer.alloc(1 << 20));
    const results: [unknown, number][] = [];
    for (const [i, buffer] of buffers.entries())
      expect(
        vix.VixDiskLib_ReadAsync(
          handle,
          i * 2048,
          2048,
          buffer,
          (data, result) => results.push([data, result]),
          i,
        ),
      ).toBe(vix.VIX_ASYNC);
    expect(
      vix.VixDiskLib_ReadAsync(
        handle,
        16 * 2048,
        1,
        buffers[0]!,
        (data, result) => results.push([data, result]),
        'past',
      ),
    ).toBe(vix.VIX_ASYNC);
    expect(await vix.VixDiskLib_Wait(handle)).toBe(vix.VIX_OK);
    expect(results).toHaveLength(17);
    expect(results).toContainEqual(['past', vix.VIX_E_DISK_OUTOFRANGE]);
    for (const [i, buffer] of buffers.entries()) expect(buffer.every((byte) => byte === i + 1)).toBe(true);
  });
  test('what is wrong at once is answered at once', async () => {
    const handle = await open(await makeImage(), READ_ONLY);
    expect(vix.VixDiskLib_ReadAsync(handle, 0, 1, Buffer.alloc(512), null, null)).toBe(vix.VIX_E_INVALID_ARG);
    expect(vix.VixDiskLib_ReadAsync(null, 0, 1, Buffer.alloc(512), () => undefined, null)).toBe(
      vix.VIX_E_INVALID_HANDLE,
    );
    expect(vix.VixDiskLib_ReadAsync(handle, 0, -1, Buffer.alloc(512), () => undefined, null)).toBe(
      vix.VIX_E_INVALID_ARG,
    );
  });
});
