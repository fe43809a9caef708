/** Which runs a prune leaves: those that a rule keeps, and the newest state of every disk, the newest that is whole. */
import { CbtError } from '../core/errors.js';
import type { BackupFolder, Layer } from './folder.js';
import { type KeepRules, runsToKeep } from './keepRules.js';
import { checkStackFiles } from './layerFiles.js';
import { seriesIn } from './series.js';

/** Numbers of the runs that stay. A disk is its series: whatever it was called, whoever's it is, its last good state stays. */
export async function keptRuns(folder: BackupFolder, rules: KeepRules): Promise<Set<number>> {
  const keep = runsToKeep(folder.runs, rules);
  for (const { layers } of seriesIn(folder)) {
    const [newest] = layers;
    if (newest !== undefined) keep.add(newest.run.run);
    for (const layer of layers) {
      if (!(await isWhole(folder, layer))) continue;
      keep.add(layer.run.run);
      break;
    }
  }
  return keep;
}

/** Whether the files that a run of a disk is read through are there as they were written; no content is read. */
async function isWhole(folder: BackupFolder, { run, disk }: Layer): Promise<boolean> {
  try {
    await checkStackFiles(folder, folder.stack(run, disk));
    return true;
  } catch (error) {
    if (error instanceof CbtError && error.code === 'ERR_CBT_CORRUPT_IMAGE') return false;
    throw error;
  }
}
