import { describe, expect, test } from 'vitest';
import { makeImage, open, path, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_CreateChild', () => {
  test('makes an image over the open disk', async () => {
    const parent = await open(await makeImage('p.qcow2', 1 << 20, ['write 0 64k']), READ_ONLY);
    expect(await vix.VixDiskLib_CreateChild(parent, path('c.qcow2'), 1)).toBe(vix.VIX_OK);
    const child = await open(path('c.qcow2'), READ_ONLY);
    const info = ref<vix.VixDiskLibInfo>();
    vix.VixDiskLib_GetInfo(child, info);
    expect(info.value).toMatchObject({ numLinks: 2, parentFileNameHint: path('p.qcow2') });
    const buffer = Buffer.alloc(512);
    expect(await vix.VixDiskLib_Read(child, 0, 1, buffer)).toBe(vix.VIX_OK);
    expect(buffer[0]).toBe(0xcd);
    const alone = await open(path('c.qcow2'), READ_ONLY | vix.VIXDISKLIB_FLAG_OPEN_SINGLE_LINK);
    expect(await vix.VixDiskLib_Read(alone, 0, 1, buffer)).toBe(vix.VIX_OK);
    expect(buffer[0]).toBe(0);
    expect(await vix.VixDiskLib_CreateChild(parent, path('c.qcow2'), 1)).toBe(vix.VIX_E_FILE_ALREADY_EXISTS);
  });
});
