/** docs/differences.md, X17. */
import { expect, test } from 'vitest';
import { useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X17: no image is given another parent, and none is made smaller', async () => {
  for (const call of [
    vix.VixDiskLib_Attach,
    vix.VixDiskLib_IsAttachPossible,
    vix.VixDiskLib_Defragment,
    vix.VixDiskLib_Shrink,
  ])
    expect(await call(null, null, null)).toBe(vix.VIX_E_NOT_SUPPORTED);
});
