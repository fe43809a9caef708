import { describe, expect, test } from 'vitest';
import { qemuIo } from '../../helpers/qemuTools.js';
import { makeImage, open, READ_ONLY, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Write', () => {
  test('writes whole sectors to a disk that is open for writing', async () => {
    const file = await makeImage();
    const handle = await open(file);
    expect(await vix.VixDiskLib_Write(handle, 3, 2, Buffer.alloc(1024, 8))).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Write(handle, 2047, 2, Buffer.alloc(1024, 8))).toBe(
      vix.VIX_E_DISK_OUTOFRANGE,
    );
    expect(await vix.VixDiskLib_Close(handle)).toBe(vix.VIX_OK);
    expect(
      await qemuIo(['-r', '-f', 'qcow2', file], 'read -P 8 1536 1024', 'read -P 0 2560 512'),
    ).not.toContain('failed');
    expect(await vix.VixDiskLib_Write(await open(file, READ_ONLY), 0, 1, Buffer.alloc(512))).toBe(
      vix.VIX_E_FILE_READ_ONLY,
    );
  });
});
