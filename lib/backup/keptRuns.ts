/**
 * Which runs a prune leaves: those that a rule keeps for one of its disks, and the newest state of every disk that is whole. The rules choose for
 * each disk among the runs that have it: one in which it failed, or of another owner, takes the place of none of its own.
 */
import { CbtError } from '../core/errors.js';
import type { BackupFolder, Layer } from './folder.js';
import { KEEP_RULES, type KeepRules, protectedRuns, requireCounted, rulesThatKeep } from './keepRules.js';
import { checkStackFiles } from './layerFiles.js';
import { seriesIn } from './series.js';

/** Of every run that a rule keeps, for whichever disk: the names of those rules, in their order. `newest` where no number was given. */
export function keptByRules(folder: BackupFolder, rules: KeepRules): Map<number, string[]> {
  requireCounted(rules);
  const found = new Map<number, Set<string>>();
  const keep = (run: number, names: readonly string[]): void => {
    found.set(run, new Set([...(found.get(run) ?? []), ...names]));
  };
  for (const { layers } of seriesIn(folder)) {
    const runs = new Set(layers.map(({ run }) => run));
    for (const [run, names] of rulesThatKeep([...runs], { ...rules, protect: undefined })) keep(run, names);
  }
  for (const run of protectedRuns(folder.runs, rules)) keep(run, ['protect']);
  const order = Object.keys(KEEP_RULES);
  const inOrder = (names: Set<string>) => [...names].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  return new Map([...found].map(([run, names]) => [run, inOrder(names)]));
}

/** Numbers of the runs that stay. A disk is its series: whatever it was called, whoever's it is, its last good state stays. */
export async function keptRuns(folder: BackupFolder, rules: KeepRules): Promise<Set<number>> {
  const keep = new Set(keptByRules(folder, rules).keys());
  for (const { layers } of seriesIn(folder)) {
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
