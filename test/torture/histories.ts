/**
 * Lives of a VM by the thousand, in one process: `histories.js SEED COUNT FROM STEPS`, the n-th of them from seed SEED + FROM + n. Goes on
 * after one that went wrong, tells each with its seed, and says at the end how often each step was taken.
 */

import { endAsked } from './endAsked.js';
import { askForSchemasOnce } from './knownSchemas.js';
import { live } from './life.js';
import { RestingImages } from './restingImages.js';
import { Space } from './space.js';

const [seed = 0, count = 1, from = 0, steps = 24] = process.argv.slice(2).map(Number);
const first = seed + from;
const EVERY = 20;

askForSchemasOnce();
await using space = await Space.mount();
await using resting = await RestingImages.start();
const taken = new Map<string, number>();
let failed = 0;
const started = Date.now();
let lived = 0;
for (; lived < count && !endAsked(); lived += 1) {
  try {
    for (const name of await live(first + lived, steps, { space, resting }))
      taken.set(name, (taken.get(name) ?? 0) + 1);
  } catch (error) {
    failed += 1;
    console.error(`FOUND ${(error as Error).stack}\n`);
  }
  if (lived % EVERY === EVERY - 1) tell(lived + 1);
}
tell(lived);
process.exitCode = failed === 0 ? 0 : 1;

function tell(number: number): void {
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  const steps = [...taken].sort(([, a], [, b]) => b - a).map(([name, times]) => `${name} ${times}`);
  console.log(
    `${number} lives from seed ${first} on, ${failed} went wrong, ${seconds} s: ${steps.join(', ')}`,
  );
}
