/** NFS: QueryAllocatedBlocks told the whole disk, because the store knew nothing of allocation.
 * Here: the image itself tells, whatever store it is on. */

import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();
test('an image on another file system', async () => {
  const folder = await mkdtemp('/dev/shm/cbt-');
  try {
    const file = await makeImage('a.qcow2', 1 << 20, ['write 0 64k']);
    await copyFile(file, join(folder, 'a.qcow2'));
    const handle = await open(join(folder, 'a.qcow2'), READ_ONLY);
    const list = ref<vix.VixDiskLibBlockList>();
    expect(await vix.VixDiskLib_QueryAllocatedBlocks(handle, 0, 2048, 128, list)).toBe(vix.VIX_OK);
    expect(list.value).toEqual({ numBlocks: 1, blocks: [{ offset: 0, length: 128 }] });
  } finally {
    await rm(folder, { recursive: true });
  }
});
