/** docs/differences.md, P9. */
import { expect, test } from 'vitest';
import { writeHds } from '../../helpers/parallelsBuilder.js';
import { path, prl, ref, useLibrary } from '../parallels/support.js';

useLibrary();

test('P9: a Parallels image opens for reading only', async () => {
  writeHds(path('a.hds'), { allocated: [1] });
  const handle = ref<number>();
  expect(await prl.PrlDisk_OpenDisk_Local(handle, path('a.hds'), prl.PRL_DISK_DEFAULT, 0)).toBe(
    prl.PRL_ERR_DISK_OPERATION_NOT_ALLOWED,
  );
  expect(await prl.PrlDisk_OpenDisk_Local(handle, path('a.hds'), prl.PRL_DISK_READ, 0)).toBe(0);
});
