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
    // The code is the call's; what it found is said.
    const log: string[] = [];
    vix.VixDiskLib_InitEx(8, 0, (line) => log.push(line));
    expect(await vix.VixDiskLib_CheckRepair(connection, file, false)).toBe(vix.VIX_OK);
    expect(log.join()).toMatch(/leaked|refcount/i);
    expect(await vix.VixDiskLib_CheckRepair(connection, file, true)).toBe(vix.VIX_OK);
    log.length = 0;
    expect(await vix.VixDiskLib_CheckRepair(connection, file, false)).toBe(vix.VIX_OK);
    expect(log).toEqual([]);
    expect(await vix.VixDiskLib_CheckRepair(connection, path('none'), false)).toBe(vix.VIX_E_FILE_NOT_FOUND);
  });
});
