import { copyFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { connect, makeImage, open, path, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Open', () => {
  const tryOpen = async (file: string | null, flags = READ_ONLY): Promise<number> =>
    vix.VixDiskLib_Open(await connect(), file, flags, ref());
  test('opens what qemu-nbd opens, by absolute path or in a datastore', async () => {
    await makeImage('a.qcow2');
    await makeImage('b.vmdk');
    await makeImage('c.raw');
    for (const name of ['a.qcow2', 'b.vmdk', 'c.raw'])
      expect([name, await tryOpen(path(name))]).toEqual([name, vix.VIX_OK]);
    expect(await tryOpen(`[local] ${path('a.qcow2')}`)).toBe(vix.VIX_OK);
    vix.configureVixDiskLib({ datastores: { store: path('.') } });
    expect(await tryOpen('[store] a.qcow2')).toBe(vix.VIX_OK);
    expect(await tryOpen('[store] ../../etc/passwd')).toBe(vix.VIX_E_FILE_NAME_INVALID);
    expect(await tryOpen('[other] a.qcow2')).toBe(vix.VIX_E_FILE_NAME_INVALID);
    expect(await tryOpen('a.qcow2')).toBe(vix.VIX_E_FILE_NAME_INVALID);
  });
  test('refuses what is not there, is no image, is open for writing elsewhere, and NULL', async () => {
    expect(await tryOpen(path('none'))).toBe(vix.VIX_E_FILE_NOT_FOUND);
    expect(await tryOpen(null)).toBe(vix.VIX_E_INVALID_ARG);
    writeFileSync(path('text.vmdk'), 'no image');
    expect(await tryOpen(path('text.vmdk'))).toBe(vix.VIX_E_INCORRECT_FILE_TYPE);
    await makeImage('w.qcow2');
    await open(path('w.qcow2'), 0);
    expect(vix.VIX_FAILED(await tryOpen(path('w.qcow2'), 0))).toBe(true);
    expect(await vix.VixDiskLib_Open(null, path('w.qcow2'), 0, ref())).toBe(
      vix.VIX_E_DISK_INVALID_CONNECTION,
    );
    expect(await vix.VixDiskLib_Open(await connect(), path('w.qcow2'), 0, null)).toBe(vix.VIX_E_INVALID_ARG);
  });
  test('what a guest wrote into a raw disk is never taken for an image', async () => {
    await makeImage('inner.qcow2');
    copyFileSync(path('inner.qcow2'), path('disk.raw'));
    const handle = await open(path('disk.raw'), READ_ONLY);
    const buffer = Buffer.alloc(512);
    expect(await vix.VixDiskLib_Read(handle, 0, 1, buffer)).toBe(vix.VIX_OK);
    expect(buffer.subarray(0, 3).toString()).toBe('QFI');
  });
});
