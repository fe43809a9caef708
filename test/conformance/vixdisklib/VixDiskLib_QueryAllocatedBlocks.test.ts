import { describe, expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_QueryAllocatedBlocks', () => {
  const query = async (handle: vix.VixDiskLibHandle, start: number, count: number, chunk: number) => {
    const list = ref<vix.VixDiskLibBlockList>();
    const code = await vix.VixDiskLib_QueryAllocatedBlocks(handle, start, count, chunk, list);
    return code === vix.VIX_OK ? list.value!.blocks.map(({ offset, length }) => [offset, length]) : code;
  };
  test('tells data in chunks, clipped to the window', async () => {
    const handle = await open(
      await makeImage('a.qcow2', 8 << 20, ['write 64k 64k', 'write 4M 192k', 'write -z 6M 64k']),
      READ_ONLY,
    );
    expect(await query(handle, 0, 16384, 128)).toEqual([
      [128, 128],
      [8192, 384],
    ]);
    expect(await query(handle, 0, 16384, 1024)).toEqual([
      [0, 1024],
      [8192, 1024],
    ]);
    expect(await query(handle, 8320, 128, 128)).toEqual([[8320, 128]]);
    expect(await query(handle, 512, 512, 128)).toEqual([]);
  });
  test('a tail that passes the end of the disk is cut there, whichever way it was rounded', async () => {
    const handle = await open(await makeImage('a.qcow2', (1 << 20) + 1024, ['write 1M 1k']), READ_ONLY);
    expect(await query(handle, 0, 2176, 128)).toEqual([[2048, 2]]);
    expect(await query(handle, 0, 2050, 128)).toEqual([[2048, 2]]);
    const tiny = await open(await makeImage('b.qcow2', 32768, ['write 0 512']), READ_ONLY);
    expect(await query(tiny, 0, 128, 128)).toEqual([[0, 64]]);
  });
  test('a hole that was written meanwhile is never told as a hole', async () => {
    const handle = await open(await makeImage('a.qcow2', 1 << 20));
    expect(await query(handle, 0, 2048, 128)).toEqual([]);
    await vix.VixDiskLib_Write(handle, 256, 1, Buffer.alloc(512, 3));
    expect(await query(handle, 0, 2048, 128)).toEqual([[256, 128]]);
  });
  test('refuses what is not aligned, too many chunks, and NULL', async () => {
    const handle = await open(await makeImage('a.qcow2', 1 << 20), READ_ONLY);
    for (const [start, count, chunk] of [
      [1, 128, 128],
      [0, 100, 128],
      [0, 128, 100],
      [0, 128, 0],
    ] as const)
      expect([start, count, chunk, await query(handle, start, count, chunk)]).toEqual([
        start,
        count,
        chunk,
        vix.VIX_E_INVALID_ARG,
      ]);
    expect(await query(handle, 0, 128 * (512 * 1024 + 1), 128)).toBe(vix.VIX_E_INVALID_ARG);
    expect(await vix.VixDiskLib_QueryAllocatedBlocks(handle, 0, 128, 128, null)).toBe(vix.VIX_E_INVALID_ARG);
  });
});
