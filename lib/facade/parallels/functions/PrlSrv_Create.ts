import type { Ref } from '../../ref.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { call } from '../errors.js';
import { LocalServer } from '../objects/localServer.js';
import { give, requireInitialised, requireRef } from '../runtime.js';

/**
 * A server to log in to.
 */
export function PrlSrv_Create(server: Ref<PRL_HANDLE | undefined> | null): PRL_RESULT {
  return call(() => {
    requireInitialised();
    give(requireRef('server', server), new LocalServer());
  });
}
