/**
 * Random lives of a VM: writes, points, sessions of both modes, backups, prunes and restores, on and off, resizes, migrations,
 * crashes, kills of ours, full disks, copies of images and folders put back, disks that exchange their names, edits by
 * others. TORTURE_HISTORIES lives of TORTURE_STEPS steps; TORTURE_SEED repeats one. `npm run torture -- histories` lives
 * thousands of them (histories.ts).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { live } from './life.js';
import { RestingImages } from './restingImages.js';
import { Space } from './space.js';

const STEPS = Number(process.env['TORTURE_STEPS'] ?? 24);
const HISTORIES = Number(process.env['TORTURE_HISTORIES'] ?? 6);
const FIRST = Number(process.env['TORTURE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

describe('a VM’s life', () => {
  let place: { space: Space; resting: RestingImages };
  beforeAll(async () => {
    place = { space: await Space.mount(), resting: await RestingImages.start() };
  });
  afterAll(async () => {
    await place.resting[Symbol.asyncDispose]();
    await place.space[Symbol.asyncDispose]();
  });

  test.each(Array.from({ length: HISTORIES }, (_, n) => FIRST + n))('of seed %i', async (seed) => {
    expect(await live(seed, STEPS, place)).toHaveLength(STEPS);
  });
});
