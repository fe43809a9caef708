import type { PRL_SECURITY_LEVEL } from '../constants/enums.js';
import { PSL_LOW_SECURITY } from '../constants/flags.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PrlSrv_LoginLocal } from './PrlSrv_LoginLocal.js';

/**
 * As {@link PrlSrv_LoginLocal}; the flags do nothing, as there is no session that another login could end. A job.
 * @param server Handle of a server.
 * @param previousSession Of no effect: there are no sessions to take over.
 * @param port Of no effect.
 * @param security Of no effect.
 * @param _flags Of no effect.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const login = PrlSrv_LoginLocalEx(server, null, 0, PSL_HIGH_SECURITY);
 * ```
 */
export function PrlSrv_LoginLocalEx(
  server: PRL_HANDLE,
  previousSession: string | null = null,
  port = 0,
  security: PRL_SECURITY_LEVEL = PSL_LOW_SECURITY,
  _flags = 0,
): PRL_HANDLE {
  return PrlSrv_LoginLocal(server, previousSession, port, security);
}
