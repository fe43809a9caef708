import { describe, expect, test } from 'vitest';
import { connect, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_InitEx', () => {
  test('says its version through the log, in the shape that importers read, and then what calls fail with', async () => {
    const lines: string[] = [];
    expect(vix.VixDiskLib_InitEx(6, 5, (line) => lines.push(line), null, null, '/opt', null)).toBe(
      vix.VIX_OK,
    );
    expect(lines[0]).toMatch(/^VMware VixDiskLib \(\d+\.\d+\.\d+\) Release build-\w+/);
    await vix.VixDiskLib_Open(await connect(), '/no/such', 0, ref());
    expect(lines.at(-1)).toContain('/no/such');
  });
  test('without it nothing can be connected to', async () => {
    vix.VixDiskLib_Exit();
    expect(await vix.VixDiskLib_Connect(null, ref())).toBe(vix.VIX_E_DISK_NOINIT);
  });
});
