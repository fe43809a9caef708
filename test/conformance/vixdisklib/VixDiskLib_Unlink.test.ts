import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { connect, makeImage, path, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Unlink', () => {
  test('removes an image, and nothing else', async () => {
    const connection = await connect();
    await makeImage('a.qcow2');
    writeFileSync(path('notes.txt'), 'mine');
    expect(await vix.VixDiskLib_Unlink(connection, path('a.qcow2'))).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Unlink(connection, path('a.qcow2'))).toBe(vix.VIX_E_FILE_NOT_FOUND);
    expect(await vix.VixDiskLib_Unlink(connection, path('notes.txt'))).toBe(vix.VIX_E_INCORRECT_FILE_TYPE);
    expect(existsSync(path('notes.txt'))).toBe(true);
  });
});
