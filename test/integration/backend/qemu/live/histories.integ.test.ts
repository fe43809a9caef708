/**
 * Random histories of two disks of a running QEMU: writes, discards, zeroes, points in time, commits, rollbacks, forgets,
 * resizes (across 128 GiB, too), clean restarts and kills, with a guest that writes all the time. After every step what
 * changed is held against what the disks held. LIVE_SEED repeats one history, LIVE_HISTORIES runs more of them, LIVE_STEPS
 * makes them longer.
 */
import { describe, test } from 'vitest';
import { seededRandom } from '../../../../helpers/guestWriter.js';
import { SEED } from '../../../../helpers/seed.js';
import { makeTemporaryFolder } from '../../../../helpers/temporaryFolder.js';
import { History } from './history.js';

const fixed = process.env['LIVE_SEED'];
const count = Number(process.env['LIVE_HISTORIES'] ?? 2);
const random = seededRandom(SEED);
const seeds = fixed
  ? [Number(fixed)]
  : Array.from({ length: count }, (_, i) => (i === 0 ? 1 : random(2 ** 31)));

describe('a random history of a running QEMU', () => {
  test.each(seeds)('seed %i: no change is missed, sessions show what was there', async (seed) => {
    const folder = await makeTemporaryFolder();
    const history = new History(folder.path, seed);
    try {
      await history.run();
    } catch (error) {
      throw new Error(`LIVE_SEED=${seed} after ${history.log.join(', ')}: ${String(error)}`, {
        cause: error,
      });
    } finally {
      await folder.remove();
    }
  });
});
