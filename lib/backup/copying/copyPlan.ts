/**
 * Which layers a second place lacks. A layer that is there stays as it is, whatever was merged here since: what it shows is the same. A run that
 * lacks disks gets them, however old it is. A run that was pruned there stays away unless a later one needs it, or all are asked for.
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
  const names = new Set(target.names);
  const newest = target.runs.at(-1)?.run ?? 0;
  const has = (run: number, key: string): boolean => {
    const disk = there.get(run)?.disks.find((one) => one.key === key);
    return disk !== undefined && names.has(disk.file) && names.has(disk.sums.file);
  };
  /** What these stand on, and there is not. One that is not here either is told when the layer is looked at. */
  const missingBelow = ({ disks }: Manifest): Manifest[] =>
    disks.flatMap(({ key, base }) =>
      base === null || has(base.run, key) ? [] : (byNumber.get(base.run) ?? []),
    );
  const lacks = ({ run, disks }: Manifest): boolean =>
    there.has(run) ? disks.some(({ key }) => !has(run, key)) : all || run > newest || again.has(run);
  const planned = new Set<number>();
  const left = [...source.runs.filter(lacks), ...target.runs.flatMap(missingBelow)];
  for (let run = left.pop(); run !== undefined; run = left.pop()) {
    if (planned.has(run.run)) continue;
    planned.add(run.run);
    left.push(...missingBelow(run));
  }
  return source.runs
    .filter(({ run }) => planned.has(run))
    .map((run) => ({ run, disks: run.disks.filter(({ key }) => !has(run.run, key)) }));
}

/** What a run stands on counts too: of one whose manifest is damaged nothing else tells which point in time it was. */
function requireOneHistory(source: BackupFolder, target: BackupFolder): void {
  const pits = new Map([...bases(source), ...source.runs].map(({ run, pit }) => [run, pit]));
  for (const { run, pit } of [...target.runs, ...bases(target)]) {
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

function bases({ runs }: BackupFolder): { run: number; pit: string }[] {
  return runs.flatMap(({ disks }) => disks.flatMap(({ base }) => base ?? []));
}
