/**
 * What the sizes written into segment names tell. QEMU truncates every bitmap of a disk that shrinks, the frozen ones
 * too, and brings clean bits when it grows: what changed past the smallest size is gone without a trace in the bits.
 *
 *   size at A |==================|        bits of [min, …) were dropped
 *   min since |=========|                 matters when min < min(size at A, size at B):
 *   size at B |================|          past that, all is clipped or counted as grown
 */
import type { DiskState } from './diskSource.js';
import { CbtError, type Problem, trackingLost } from './errors.js';
import { MAX_DISK_BYTES } from './rangePage.js';
import { describeSegment, type SegmentName } from './segmentName.js';

/** What of a chain tells sizes: its layer, and its segments in ascending order. */
interface SizedChain {
  layer: number;
  segments: readonly SegmentName[];
}

/** Refuses a disk whose bytes a number cannot name exactly, before any of its sizes is reckoned with. */
export function checkSizes(state: DiskState): void {
  const sizes = [state.sizeBytes, ...state.layers.map((layer) => layer.sizeBytes)];
  for (const sizeBytes of sizes) {
    if (Number.isSafeInteger(sizeBytes) && sizeBytes >= 0) continue;
    throw new CbtError(
      'ERR_CBT_UNSUPPORTED',
      `the size of this disk is ${sizeBytes} bytes, the limit is ${MAX_DISK_BYTES}`,
      { disk: state.disk, details: { limitBytes: MAX_DISK_BYTES } },
    );
  }
}

/** Throws when bits were dropped that the answer from `start` to a disk of `sizeBytes` needs. */
export function checkNothingDropped(
  state: DiskState,
  chain: SizedChain,
  start: SegmentName,
  sizeBytes: number,
): void {
  const neededBytes = Math.min(start.sizeBytes, sizeBytes);
  const later = chain.segments.filter((segment) => segment.first > start.first);
  const smallestBytes = smallest([...later.map((segment) => segment.sizeBytes), ...sizesNow(state, chain)]);
  if (smallestBytes >= neededBytes) return;
  throw trackingLost(
    'SIZE',
    `the disk was once ${smallestBytes} bytes long, shorter than the ${neededBytes} bytes asked about: what changed past that was dropped`,
    { disk: state.disk, details: { smallestBytes, neededBytes } },
  );
}

/** The newest point from which a question up to now meets dropped bits; null when every point answers. O(segments). */
export function findShrinkProblem(state: DiskState, chain: SizedChain): Problem | null {
  let smallestBytes = smallest(sizesNow(state, chain));
  for (const segment of [...chain.segments].reverse()) {
    if (smallestBytes < Math.min(segment.sizeBytes, state.sizeBytes)) {
      const message = `the disk was once ${smallestBytes} bytes long and grew again: ${describeSegment(segment)} does not answer up to now, nor do older ones as long`;
      return { reason: 'SIZE', message };
    }
    smallestBytes = Math.min(smallestBytes, segment.sizeBytes);
  }
  return null;
}

/** Sizes that the bits of the chain are bounded by today: its own layer and every one above. */
function sizesNow(state: DiskState, chain: SizedChain): number[] {
  return state.layers.slice(0, chain.layer + 1).map((layer) => layer.sizeBytes);
}

/** As Math.min, for lists longer than a call takes arguments. */
function smallest(sizes: readonly number[]): number {
  return sizes.reduce((least, size) => Math.min(least, size), Number.POSITIVE_INFINITY);
}
