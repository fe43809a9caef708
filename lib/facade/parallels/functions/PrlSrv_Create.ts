import type { Ref } from '../../ref.js';
import { requireRef } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { LocalServer } from '../objects/localServer.js';
import { give, runtime } from '../runtime.js';

/**
 * A server to log in to.
 */
export function PrlSrv_Create(server: Ref<PRL_HANDLE | undefined> | null): PRL_RESULT {
  return call(() => {
    runtime().requireInitialised();
    give(requireRef('server', server), new LocalServer());
  });
}
