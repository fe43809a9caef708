import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PrlSrv_LoginLocal } from './PrlSrv_LoginLocal.js';

/**
 * As {@link PrlSrv_LoginLocal}; the flags do nothing, as there is no session that another login could end. A job.
 */
export function PrlSrv_LoginLocalEx(
  server: PRL_HANDLE,
  previousSession: string | null = null,
  port = 0,
  security = 0,
  _flags = 0,
): PRL_HANDLE {
  return PrlSrv_LoginLocal(server, previousSession, port, security);
}
