/**
 * The SDKs' enumerations and codes, checked by `tsc`: a value that an enumeration does not have does not compile, a handle is no result, and
 * numbers that a ported program keeps compile. Nothing here runs.
 */
import { expectTypeOf } from 'vitest';
import * as prl from '../../lib/facade/parallels/index.js';
import * as vix from '../../lib/facade/vixdisklib/index.js';

const params: vix.VixDiskLibCreateParams = {
  diskType: vix.VIXDISKLIB_DISK_MONOLITHIC_SPARSE,
  adapterType: vix.VIXDISKLIB_ADAPTER_SCSI_LSILOGIC,
  hwVersion: vix.VIXDISKLIB_HWVERSION_CURRENT,
  capacity: 8n,
};
// @ts-expect-error no type of disks
params.diskType = 77;
// @ts-expect-error a type of disks is no adapter
params.adapterType = vix.VIXDISKLIB_DISK_STREAM_OPTIMIZED;
declare const number: number;
// @ts-expect-error any number is no code
const anyCode: vix.VixError = number;
void anyCode;
const known: vix.VixError = vix.VIX_E_INVALID_ARG;
const asNumber: number = known;
void asNumber;
// Flags are put together by `|`, which makes a number.
expectTypeOf(vix.VixDiskLib_Open).parameter(2).toEqualTypeOf<number>();

declare const server: prl.PRL_HANDLE;
const login = prl.PrlSrv_LoginLocal(server, null, 0, prl.PSL_HIGH_SECURITY);
// @ts-expect-error a handle is never an error: this would be true of every login
prl.PRL_SUCCEEDED(login);
// @ts-expect-error a result is no handle
prl.PrlHandle_Free(prl.PRL_ERR_NO_DATA as prl.PRL_RESULT);
// @ts-expect-error no level of security
prl.PrlSrv_LoginLocal(server, null, 0, 3);
// @ts-expect-error a level of security is no mode
prl.PrlApi_InitEx(prl.VIRTUOZZO_API_VER, prl.PSL_HIGH_SECURITY);
// Handles and codes are kept as numbers.
const kept: number[] = [login];
prl.PrlHandle_Free(kept[0] ?? prl.PRL_INVALID_HANDLE);
const out = prl.ref<number>();
prl.PrlSrv_Create(out);
const code: number = await prl.PrlHandle_Free(server);
prl.PRL_FAILED(code);
