import type { PRL_RESULT } from '../constants/results.js';
import { callAsync } from '../errors.js';
import { deinitialise, type PrlObject, table } from '../runtime.js';

/**
 * Undoes one PrlApi_Init. The last one closes every object that still has a handle (open backups are rolled back); without
 * any before it PRL_ERR_API_WASNT_INITIALIZED. Where closing fails, all are closed all the same and the code is the first failure's. A promise, because closing is I/O.
 */
export async function PrlApi_Deinit(): Promise<PRL_RESULT> {
  return callAsync(async () => {
    if (!deinitialise()) return;
    const closings = await Promise.allSettled(table.clear().map((object) => (object as PrlObject).close()));
    for (const closing of closings) if (closing.status === 'rejected') throw closing.reason;
  });
}
