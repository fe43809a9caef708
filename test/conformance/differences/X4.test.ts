/** docs/differences.md, X4. */
import { expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X4: a window past the end is cut', async () => {
  const handle = await open(await makeImage('a.qcow2', 65536 + 512, ['write 64k 512']), READ_ONLY);
  const list = ref<vix.VixDiskLibBlockList>();
  expect(await vix.VixDiskLib_QueryAllocatedBlocks(handle, 0, 256, 128, list)).toBe(vix.VIX_OK);
  expect(list.value!.blocks).toEqual([{ offset: 128, length: 1 }]);
});
