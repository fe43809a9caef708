/** The manifests of a folder, many at a time: a folder of years has thousands, each a few hundred bytes. */
import { join } from 'node:path';
import { CbtError } from '../core/errors.js';
import { readSmallFile } from './durable.js';
import { MAX_MANIFEST_BYTES, type Manifest, parseManifest } from './manifest.js';
import { manifestName } from './names.js';

/** A run whose manifest cannot be believed. */
export interface DamagedRun {
  /** Its number. */
  run: number;
  /** Name of its manifest. */
  file: string;
  /** What is wrong with it. */
  error: CbtError;
}

/** Files on their way: more than the threads that read them, so that none waits for us, and few to hold open. */
const AT_ONCE = 32;

/** The manifests of these runs, in any order; those that `known` has are not read again. One that is gone by now is left out. */
export async function readManifests(
  folder: string,
  numbers: readonly number[],
  known: ReadonlyMap<number, Manifest> = new Map(),
): Promise<{ runs: Manifest[]; damaged: DamagedRun[] }> {
  const runs: Manifest[] = [];
  const damaged: DamagedRun[] = [];
  const left = numbers.values();
  const failures: unknown[] = [];
  const some = async (): Promise<void> => {
    for (const run of left) {
      if (failures.length > 0) return;
      const before = known.get(run);
      if (before !== undefined) {
        runs.push(before);
        continue;
      }
      const file = manifestName(run);
      try {
        const text = await readSmallFile(join(folder, file), MAX_MANIFEST_BYTES);
        // Removed since the folder was listed: a prune is at work, and the run is gone.
        if (text !== null) runs.push(parseManifest(text, file, run));
      } catch (error) {
        if (error instanceof CbtError && error.code === 'ERR_CBT_CORRUPT_IMAGE')
          damaged.push({ run, file, error });
        else failures.push(error);
      }
    }
  };
  // All of them end before this does: none holds a file open then.
  await Promise.all(Array.from({ length: AT_ONCE }, some));
  if (failures.length > 0) throw failures[0];
  return { runs, damaged };
}
