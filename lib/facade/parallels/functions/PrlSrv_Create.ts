import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { LocalServer } from '../objects/localServer.js';
import { give, runtime } from '../runtime.js';

/**
 * A server to log in to.
 * @param server Box for the server.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const created = ref<number>();
 * const code = PrlSrv_Create(created);
 * ```
 */
export function PrlSrv_Create(server: Ref<PRL_HANDLE | undefined> | null): PRL_RESULT {
  return call(() => {
    runtime().requireInitialised();
    give(requireRef('server', server), new LocalServer());
  });
}
