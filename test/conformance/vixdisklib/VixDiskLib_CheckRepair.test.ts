import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { connect, makeImage, path, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_CheckRepair', () => {
  test('finds what is wrong, and repairs it', async () => {
    const connection = await connect();
    const file = await makeImage('a.qcow2', 1 << 20, ['write 0 64k']);
    expect(await vix.VixDiskLib_CheckRepair(connection, file, false)).toBe(vix.VIX_OK);
    // A reference count that is too high: a leaked cluster.
    const image = openSync(file, 'r+');
    const block = Buffer.alloc(8);
    readSync(image, block, 0, 8, 65536);
    writeSync(image, Buffer.from([0, 2]), 0, 2, Number(block.readBigUInt64BE()) + 2);
    closeSync(image);
    expect(await vix.VixDiskLib_CheckRepair(connection, file, false)).toBe(vix.VIX_E_DISK_NEEDSREPAIR);
    expect(await vix.VixDiskLib_CheckRepair(connection, file, true)).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_CheckRepair(connection, file, false)).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_CheckRepair(connection, path('none'), false)).toBe(vix.VIX_E_FILE_NOT_FOUND);
  });
});
