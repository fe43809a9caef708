/**
 * Ranges to bits: a bit for every granule of the window that holds a byte of a range inside the window. O(ranges + bytes
 * of bits).
 */
import { invalidArgument } from '../../core/errors.js';
import { checkGranularity, checkWindow, type Ranges, type Window } from '../../core/rangePage.js';
import { setBits } from './bits.js';
import { allocate, tooLarge } from './levels.js';
import { MAX_ANSWER_BYTES } from './limits.js';
import { Pace } from './pace.js';
import { takeRanges } from './snapshots.js';

export async function paintRanges(
  ranges: Ranges,
  granularityBytes: number,
  window: Omit<Window, 'maxRanges'>,
): Promise<Uint8Array> {
  checkWindow({ ...window, maxRanges: 1 });
  checkGranularity('granularityBytes', granularityBytes);
  const { startBytes, endBytes } = window;
  if (startBytes % granularityBytes !== 0) {
    throw invalidArgument('startBytes', startBytes, `a multiple of granularityBytes (${granularityBytes})`);
  }
  const taken = takeRanges('ranges', ranges);
  const pace = new Pace(window.signal);
  const length = Math.ceil(Math.ceil((endBytes - startBytes) / granularityBytes) / 8);
  if (length > MAX_ANSWER_BYTES) throw tooLarge('bits', length);
  const bits = allocate(() => new Uint8Array(length), length);
  for (let i = 0; i < taken.length; i += 2) {
    const offset = taken[i] ?? 0;
    const from = Math.max(offset, startBytes) - startBytes;
    const to = Math.min(offset + (taken[i + 1] ?? 0), endBytes) - startBytes;
    if (from < to) {
      const first = Math.floor(from / granularityBytes);
      const end = Math.ceil(to / granularityBytes);
      setBits(bits, first, end);
      if (pace.spent((end - first) / 64)) await pace.rest();
    }
    if (pace.spent(1)) await pace.rest();
  }
  return bits;
}
