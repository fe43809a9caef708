/**
 * Random lives of a VM: writes, points, sessions of both modes, backups, prunes and restores, on and off, crashes, kills of
 * ours, full disks, copies of images put back, disks that exchange their names. TORTURE_HISTORIES lives of TORTURE_STEPS steps;
 * TORTURE_SEED repeats one.
 */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../helpers/guestWriter.js';
import { SmallFileSystem } from '../helpers/smallFileSystem.js';
import { reckon, step } from './steps.js';
import { World } from './world.js';

const STEPS = Number(process.env['TORTURE_STEPS'] ?? 24);
const HISTORIES = Number(process.env['TORTURE_HISTORIES'] ?? 6);
const FIRST = Number(process.env['TORTURE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Small enough to be filled. */
const SPACE_BYTES = 64 << 20;

describe('a VM’s life', () => {
  test.each(Array.from({ length: HISTORIES }, (_, n) => FIRST + n))('of seed %i', async (seed) => {
    await using space = await SmallFileSystem.mount(SPACE_BYTES);
    const world = new World(space.path, seededRandom(seed), space);
    try {
      await world.create();
      for (let n = 0; n < STEPS; n += 1) await step(world);
      await reckon(world);
    } catch (cause) {
      throw new Error(`seed ${seed}: ${(cause as Error).message}\n${world.log.slice(-60).join('\n')}`, {
        cause,
      });
    } finally {
      await world.crash();
    }
    expect(world.log.length).toBeGreaterThan(STEPS);
  });
});
