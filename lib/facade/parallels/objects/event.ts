/** What went wrong in a job, as the SDK's events tell it. */
import { PHT_EVENT } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import type { PrlObject } from '../runtime.js';

export class PrlEvent implements PrlObject {
  readonly handleType = PHT_EVENT;

  constructor(
    readonly code: PRL_RESULT,
    readonly message: string,
    readonly job: PrlObject,
  ) {}

  async close(): Promise<void> {
    // Nothing is held.
  }
}
