import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { makeImage, path, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Rename', () => {
  test('renames, and overwrites nothing', async () => {
    await makeImage('a.qcow2');
    await makeImage('b.qcow2');
    expect(await vix.VixDiskLib_Rename(path('a.qcow2'), path('b.qcow2'))).toBe(vix.VIX_E_FILE_ALREADY_EXISTS);
    expect(await vix.VixDiskLib_Rename(path('a.qcow2'), path('c.qcow2'))).toBe(vix.VIX_OK);
    expect(existsSync(path('a.qcow2'))).toBe(false);
    expect(await vix.VixDiskLib_Rename(path('a.qcow2'), path('d.qcow2'))).toBe(vix.VIX_E_FILE_NOT_FOUND);
  });
});
