/** docs/differences.md, P24. */
import { expect, test } from 'vitest';
import { codeOf, prl, serverOf, TWO_VMS, useLibrary } from '../parallels/support.js';

useLibrary();

test('P24: there is this machine, and no dispatcher', async () => {
  const server = await serverOf(TWO_VMS);
  expect(await codeOf(prl.PrlSrv_GetVmList(server))).toBe(0);
  const { PRL_ERR_UNIMPLEMENTED } = prl;
  const login = prl.PrlSrv_Login(server, 'host', 'user', '', null, 0, 0, prl.PSL_LOW_SECURITY);
  expect(await codeOf(login)).toBe(PRL_ERR_UNIMPLEMENTED);
  const pushed = prl.PrlSrv_CreateVmBackup(server, 'a', null, 0, null, null, prl.PBT_FULL, 0, prl.PRL_FALSE);
  expect(await codeOf(pushed)).toBe(PRL_ERR_UNIMPLEMENTED);
  // @ts-expect-error no mode of the SDK
  expect(prl.PrlApi_InitEx(prl.VIRTUOZZO_API_VER, 1)).toBe(PRL_ERR_UNIMPLEMENTED);
});
