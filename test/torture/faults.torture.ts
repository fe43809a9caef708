/**
 * Every step of what changes something × everything that can happen there (moments.ts). Here TORTURE_CELLS moments of one
 * fault of each operation, of each of the faults when that is more than one; TORTURE_SEED says which. `npm run torture -- faults`
 * tries them all (faults.ts).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../helpers/guestWriter.js';
import { kindsOf, Moments } from './moments.js';
import { OPERATIONS } from './operations.js';
import { RestingImages } from './restingImages.js';
import { Space } from './space.js';

const CELLS = Number(process.env['TORTURE_CELLS'] ?? 1);
const SEED = Number(process.env['TORTURE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

describe('what fails at a moment', () => {
  let space: Space;
  let resting: RestingImages;
  let moments: Moments;
  beforeAll(async () => {
    space = await Space.mount();
    resting = await RestingImages.start();
    moments = await Moments.prepare(SEED, space, resting);
  });
  afterAll(async () => {
    await moments[Symbol.asyncDispose]();
    await resting[Symbol.asyncDispose]();
    await space[Symbol.asyncDispose]();
  });

  test.each(OPERATIONS)('$name', async (operation) => {
    const random = seededRandom(SEED + OPERATIONS.indexOf(operation));
    const effects = await moments.count(operation, SEED);
    const fitting = kindsOf(operation);
    const kinds = CELLS === 1 ? [fitting[random(fitting.length)] ?? 'kill'] : fitting;
    for (const kind of kinds)
      for (let n = 0; n < CELLS; n += 1) {
        const at = 1 + random(effects);
        expect(['whole', 'mended']).toContain(await moments.try(operation, kind, at, SEED + at));
      }
  });
});
