import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { qemuImg } from '../../helpers/qemuTools.js';
import { connect, makeImage, path, QCOW2, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Clone', () => {
  test('copies all layers into a new image; the target appears whole', async () => {
    const connection = await connect();
    const from = await makeImage('a.qcow2', 1 << 20, ['write -P 5 0 64k']);
    expect(await vix.VixDiskLib_Clone(connection, path('b.vmdk'), connection, from, QCOW2)).toBe(vix.VIX_OK);
    expect(await qemuImg('compare', '-f', 'qcow2', '-F', 'vmdk', from, path('b.vmdk'))).toContain(
      'identical',
    );
    expect(await vix.VixDiskLib_Clone(connection, path('b.vmdk'), connection, from, QCOW2)).toBe(
      vix.VIX_E_FILE_ALREADY_EXISTS,
    );
    expect(
      await vix.VixDiskLib_Clone(connection, path('b.vmdk'), connection, from, QCOW2, null, null, true),
    ).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Clone(connection, path('c.vmdk'), connection, path('none'), QCOW2)).toBe(
      vix.VIX_E_FILE_NOT_FOUND,
    );
    expect(readdirSync(path('.')).sort()).toEqual(['a.qcow2', 'b.vmdk']);
  });
});
