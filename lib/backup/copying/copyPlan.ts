/**
 * Which layers a second place lacks. A run that is there stays as it is, whatever was merged here since: what it shows is the same. What was
 * pruned there stays away unless a later run needs it, or all are asked for.
 */
import { CbtError } from '../../core/errors.js';
import type { BackupFolder } from '../folder.js';
import type { DiskRun, Manifest } from '../manifest.js';
import { manifestName } from '../names.js';

/** A run of which the second place gets layers. */
export interface PlannedRun {
  run: Manifest;
  /** The disks of it that are not there yet. */
  disks: readonly DiskRun[];
}

/** Oldest first, so that a layer's base is there before it. Throws where the folders have one number for two runs. */
export function planCopy(source: BackupFolder, target: BackupFolder, all: boolean): PlannedRun[] {
  requireOneHistory(source, target);
  const there = new Map(target.runs.map((run) => [run.run, run]));
  const byNumber = new Map(source.runs.map((run) => [run.run, run]));
  const again = new Set(target.damaged.map(({ run }) => run));
  const newest = target.runs.at(-1)?.run ?? 0;
  const planned = new Set<number>();
  const left = source.runs.filter(({ run }) => !there.has(run) && (all || run > newest || again.has(run)));
  for (let run = left.pop(); run !== undefined; run = left.pop()) {
    if (planned.has(run.run)) continue;
    planned.add(run.run);
    for (const { key, base } of run.disks) {
      if (base === null || hasDisk(there.get(base.run), key)) continue;
      // One that is not here either is told when the layer is looked at.
      const below = byNumber.get(base.run);
      if (below !== undefined) left.push(below);
    }
  }
  return source.runs
    .filter(({ run }) => planned.has(run))
    .map((run) => ({ run, disks: run.disks.filter(({ key }) => !hasDisk(there.get(run.run), key)) }));
}

function hasDisk(run: Manifest | undefined, key: string): boolean {
  return run?.disks.some((disk) => disk.key === key) ?? false;
}

function requireOneHistory(source: BackupFolder, target: BackupFolder): void {
  const pits = new Map(source.runs.map(({ run, pit }) => [run, pit]));
  for (const { run, pit } of target.runs) {
    const here = pits.get(run);
    if (here === undefined || here === pit) continue;
    const file = manifestName(run);
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `${target.path} is no copy of ${source.path} any more: its run ${run} is the point in time ${pit}, and here it is ${here}. Name another folder; runs are added to one of the two only`,
      { details: { argument: 'to', file, run } },
    );
  }
}
