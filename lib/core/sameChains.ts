/** Whether what was planned on one picture of a running disk still stands in a later one. */
import type { DiskState } from './diskSource.js';
import { CbtError } from './errors.js';

/** The layers, and what the bitmaps on them are named and do; every change of a chain shows in these. */
export function requireSameChains(planned: DiskState, now: DiskState): void {
  if (chainFacts(planned) === chainFacts(now)) return;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the layers or points in time of ${planned.disk} changed while it was asked; ask again`,
    { disk: planned.disk, reason: 'BUSY' },
  );
}

function chainFacts(state: DiskState): string {
  const layers = state.layers.map(({ label, sizeBytes, bitmaps }) => [
    label,
    sizeBytes,
    bitmaps.map(({ name, recording, inconsistent }) => [name, recording, inconsistent]),
  ]);
  return JSON.stringify(layers);
}
