/** One life, from its seed. */
import { seededRandom } from '../helpers/guestWriter.js';

import { reckon } from './questions.js';
import type { RestingImages } from './restingImages.js';
import type { Space } from './space.js';
import { step } from './steps.js';
import { World } from './world.js';

/** Lives it in a file system that it has for itself, and leaves that empty. What goes wrong is told with the seed and the steps before. */
export async function live(
  seed: number,
  steps: number,
  { space, resting }: { space: Space; resting: RestingImages },
): Promise<string[]> {
  const world = new World(space.path, seededRandom(seed), resting, space);
  const done: string[] = [];
  try {
    await world.create();
    for (let n = 0; n < steps; n += 1) done.push(await step(world));
    await reckon(world);
    return done;
  } catch (cause) {
    const before = world.log.slice(-60).join('\n');
    throw new Error(`seed ${seed}:\n${before}\n${(cause as Error).message}`, { cause });
  } finally {
    await world.crash();
    await world.quiet();
    await space.clear();
  }
}
