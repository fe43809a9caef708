/** docs/differences.md, X19. */
import { expect, test } from 'vitest';
import { useLibrary, vix } from '../vixdisklib/support.js';
import { startVm } from '../vsphere/support.js';

useLibrary();

test('X19: a program that talks to QEMU itself is not held off', async () => {
  const { daemon, service } = await startVm();
  vix.configureVixDiskLib({ service });
  expect(await vix.VixDiskLib_PrepareForAccess({ vmxSpec: 'web' }, 'backup')).toBe(vix.VIX_OK);
  expect(await daemon.process.control.execute('query-block-jobs')).toEqual([]);
  expect(await vix.VixDiskLib_EndAccess({ vmxSpec: 'web' }, 'backup')).toBe(vix.VIX_OK);
});
