/** docs/differences.md, X3. */

import { copyFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { connect, makeImage, open, path, READ_ONLY, ref, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X3: formats go by names', async () => {
  copyFileSync(await makeImage('a.qcow2'), path('a.raw'));
  copyFileSync(path('a.qcow2'), path('noname'));
  const info = ref<vix.VixDiskLibInfo>();
  vix.VixDiskLib_GetInfo(await open(path('a.qcow2'), READ_ONLY), info);
  expect(info.value!.capacity).toBe(2048);
  vix.VixDiskLib_GetInfo(await open(path('a.raw'), READ_ONLY), info);
  expect(info.value!.capacity).not.toBe(2048);
  expect(await vix.VixDiskLib_Open(await connect(), path('noname'), READ_ONLY, ref())).toBe(
    vix.VIX_E_INCORRECT_FILE_TYPE,
  );
});
