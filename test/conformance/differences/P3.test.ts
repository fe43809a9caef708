/** docs/differences.md, P3. */
import { expect, test } from 'vitest';
import { makeImage, prl, ref, useLibrary } from '../parallels/support.js';

useLibrary();

test('P3: nothing is made before PrlApi_Init', async () => {
  const { file } = await makeImage();
  await prl.PrlApi_Deinit();
  const handle = ref<number>();
  const { PRL_ERR_API_WASNT_INITIALIZED } = prl;
  expect(await prl.PrlDisk_OpenDisk_Local(handle, file, prl.PRL_DISK_READ, 0)).toBe(
    PRL_ERR_API_WASNT_INITIALIZED,
  );
  expect(prl.PrlDiskOpenPolicy_CreateOffset(handle, 0)).toBe(PRL_ERR_API_WASNT_INITIALIZED);
  expect(handle.value).toBeUndefined();
});
