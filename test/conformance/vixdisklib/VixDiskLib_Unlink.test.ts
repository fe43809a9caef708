import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
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

  test('removes what an earlier try left of an image, and no file of others that has such a name', async () => {
    const connection = await connect();
    const left = path('gone.qcow2.metadata.json');
    writeFileSync(left, '{"adapterType":"lsilogic"}');
    expect(await vix.VixDiskLib_Unlink(connection, path('gone.qcow2'))).toBe(vix.VIX_OK);
    expect(existsSync(left)).toBe(false);

    const others = path('app.metadata.json');
    writeFileSync(others, '{"a":"b"}');
    expect(await vix.VixDiskLib_Unlink(connection, path('app'))).toBe(vix.VIX_E_FILE_NOT_FOUND);
    expect(existsSync(others)).toBe(true);
    for (const text of ['{"a":{"b":1}}', '[]', 'mine']) {
      writeFileSync(left, text);
      expect(await vix.VixDiskLib_Unlink(connection, path('gone.qcow2'))).toBe(vix.VIX_E_FILE_NOT_FOUND);
      expect(existsSync(left)).toBe(true);
    }
    rmSync(left);
    mkdirSync(left);
    expect(await vix.VixDiskLib_Unlink(connection, path('gone.qcow2'))).toBe(vix.VIX_E_FILE_NOT_FOUND);
    expect(existsSync(left)).toBe(true);
  });
});
