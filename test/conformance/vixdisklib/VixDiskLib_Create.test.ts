import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { connect, open, path, QCOW2, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Create', () => {
  test('makes images of the types that QEMU has, once', async () => {
    const connection = await connect();
    const seen: number[] = [];
    const progress = (data: unknown, percent: number): boolean => {
      expect(data).toBe('me');
      seen.push(percent);
      return true;
    };
    for (const [name, diskType] of [
      ['a.qcow2', 1],
      ['b.vmdk', 1],
      ['c.vmdk', 2],
      ['d.vmdk', 3],
      ['e.raw', 2],
    ] as const) {
      expect([
        name,
        await vix.VixDiskLib_Create(connection, path(name), { ...QCOW2, diskType }, progress, 'me'),
      ]).toEqual([name, vix.VIX_OK]);
      const info = ref<vix.VixDiskLibInfo>();
      expect(vix.VixDiskLib_GetInfo(await open(path(name), READ_ONLY), info)).toBe(vix.VIX_OK);
      expect([name, info.value!.capacity]).toEqual([name, 2048]);
    }
    expect(seen.slice(0, 2)).toEqual([0, 100]);
    expect(await vix.VixDiskLib_Create(connection, path('a.qcow2'), QCOW2)).toBe(
      vix.VIX_E_FILE_ALREADY_EXISTS,
    );
    expect(await vix.VixDiskLib_Create(connection, path('f.vmdk'), { ...QCOW2, diskType: 7 })).toBe(
      vix.VIX_E_NOT_SUPPORTED,
    );
    expect(await vix.VixDiskLib_Create(connection, path('f.vmdk'), null)).toBe(vix.VIX_E_INVALID_ARG);
    expect(await vix.VixDiskLib_Create(await connect(true), path('f.vmdk'), QCOW2)).toBe(
      vix.VIX_E_FILE_READ_ONLY,
    );
    expect(existsSync(path('f.vmdk'))).toBe(false);
  });

  test('what the progress function answers does not count', async () => {
    expect(await vix.VixDiskLib_Create(await connect(), path('g.vmdk'), QCOW2, () => false)).toBe(vix.VIX_OK);
    expect(existsSync(path('g.vmdk'))).toBe(true);
  });

  test('an extent of somebody is not written over', async () => {
    writeFileSync(path('v-flat.vmdk'), 'mine');
    const connection = await connect();
    expect(await vix.VixDiskLib_Create(connection, path('v.vmdk'), { ...QCOW2, diskType: 2 })).toBe(
      vix.VIX_E_FILE_ALREADY_EXISTS,
    );
    expect(readFileSync(path('v-flat.vmdk'), 'utf8')).toBe('mine');
  });
});
