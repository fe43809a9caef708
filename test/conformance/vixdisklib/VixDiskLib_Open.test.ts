import { copyFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { qemuImg } from '../../helpers/qemuTools.js';
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
    writeFileSync(path('text'), 'no image');
    expect(await tryOpen(path('text'))).toBe(vix.VIX_E_INCORRECT_FILE_TYPE);
    writeFileSync(path('text.vmdk'), 'no image');
    expect(vix.VIX_FAILED(await tryOpen(path('text.vmdk')))).toBe(true);
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

  test('formats go by names alone: a header in any raw disk leads nowhere', async () => {
    writeFileSync(path('secret'), 'secret of the host');
    await qemuImg('create', '-q', '-f', 'qcow2', '-u', '-b', path('secret'), '-F', 'raw', path('evil'), '1M');
    for (const name of ['x-flat.vmdk', 'x.RAW', 'x.dd']) {
      copyFileSync(path('evil'), path(name));
      const buffer = Buffer.alloc(512);
      expect(await vix.VixDiskLib_Read(await open(path(name), READ_ONLY), 0, 1, buffer)).toBe(vix.VIX_OK);
      expect([name, buffer.subarray(0, 3).toString()]).toEqual([name, 'QFI']);
    }
    copyFileSync(path('evil'), path('x.hds'));
    expect(vix.VIX_FAILED(await tryOpen(path('x.hds')))).toBe(true);
    expect(await tryOpen(path('evil'))).toBe(vix.VIX_E_INCORRECT_FILE_TYPE);
    vix.configureVixDiskLib({ formats: { [path('evil')]: 'raw' } });
    expect(await tryOpen(path('evil'))).toBe(vix.VIX_OK);
  });
  test('forged objects are told as what they are', async () => {
    const forged = Object.create(vix.VixDiskLibConnection.prototype);
    expect(await vix.VixDiskLib_Open(forged, path('x'), 0, ref())).toBe(vix.VIX_E_DISK_INVALID_CONNECTION);
    const handle = Object.create(vix.VixDiskLibHandle.prototype);
    expect(await vix.VixDiskLib_Read(handle, 0, 1, Buffer.alloc(512))).toBe(vix.VIX_E_INVALID_HANDLE);
  });
});
