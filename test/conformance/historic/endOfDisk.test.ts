/** End of disk: QueryAllocatedBlocks failed where the last chunk passed the capacity (migratekit 53, 77).
 * Here: the window is cut at the end, and so is the last block. */
import { expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();
test('a rounded last chunk', async () => {
  const handle = await open(await makeImage('a.qcow2', (1 << 20) + 512, ['write 1M 512']), READ_ONLY);
  const list = ref<vix.VixDiskLibBlockList>();
  expect(await vix.VixDiskLib_QueryAllocatedBlocks(handle, 0, 2176, 128, list)).toBe(vix.VIX_OK);
  expect(list.value!.blocks).toEqual([{ offset: 2048, length: 1 }]);
});
