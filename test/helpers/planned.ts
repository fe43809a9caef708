/** A question of what changed, planned. */
import { type ChangePlan, planChanges } from '../../lib/core/changeQuery.js';
import type { DiskState } from '../../lib/core/diskSource.js';
import { parsePoint } from '../../lib/core/point.js';

export function plan(state: DiskState, from: string, to?: string): ChangePlan {
  return planChanges(state, parsePoint('from', from), to === undefined ? null : parsePoint('to', to));
}
