import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PrlSrv_GetVmList } from './PrlSrv_GetVmList.js';

/**
 * As {@link PrlSrv_GetVmList}; the flags, which choose among VMs, containers and templates, do nothing: all here are VMs. A job.
 * @param server Handle of a server.
 * @param _flags Of no effect.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const listing = PrlSrv_GetVmListEx(server, PVTF_VM);
 * ```
 */
export function PrlSrv_GetVmListEx(server: PRL_HANDLE, _flags = 0): PRL_HANDLE {
  return PrlSrv_GetVmList(server);
}
