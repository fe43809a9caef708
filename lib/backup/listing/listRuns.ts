/**
 * What is in a folder: every run with its disks, sizes, reasons and what keeps it. Only manifests and names are read, so that years of
 * runs are there in a moment; whether the bytes are sound says `verify`.
 */
import type { CallOptions } from '../../core/callOptions.js';
import { throwIfAborted } from '../../core/errors.js';
import { type Checks, checkOptions, required, shape, text } from '../../core/options.js';
import { within } from '../../core/within.js';
import { freeSpaceIn } from '../../linux/freeSpace.js';
import { onFile } from '../fileFault.js';
import type { BackupFolder } from '../folder.js';
import { KEEP_RULES, type KeepRules, requireCounted } from '../keepRules.js';
import { keptByRules } from '../keptRuns.js';
import type { Manifest } from '../manifest.js';
import { CALL } from '../options.js';
import { layerProblems, type Problems } from './layerProblems.js';
import type { ListedRun, RunList } from './listSchema.js';
import { readSettled } from './settledFolder.js';

/** Which folder, and by which rules it is kept. */
export interface ListRunsOptions extends CallOptions {
  /** Folder of the backup. */
  from: string;
  /** The rules that a prune goes by; without, nobody knows what it keeps. */
  rules?: KeepRules | undefined;
}

const LIST: Checks<ListRunsOptions> = {
  from: required(text),
  rules: shape<KeepRules>(KEEP_RULES),
  ...CALL,
};

/**
 * Lists a folder's runs, oldest first, without holding up who works there. A run that cannot be read is in `damaged`, what cannot be
 * restored of the others in their disks' `problem`. Throws where the folder cannot be read (`ERR_CBT_BACKEND_UNAVAILABLE`).
 * @param options Which folder.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * const { runs } = await listRuns({ from: '/backup/web' });
 * ```
 */
export async function listRuns(options: ListRunsOptions): Promise<RunList> {
  checkOptions('listRuns', options, LIST);
  if (options.rules !== undefined) requireCounted(options.rules);
  return within('listRuns', options, (own = options) => listFolder(own));
}

async function listFolder(options: ListRunsOptions): Promise<RunList> {
  const { signal } = options;
  throwIfAborted(signal);
  const settled = await readSettled(options.from, signal);
  const { folder } = settled;
  const problems = layerProblems(settled);
  const kept = options.rules === undefined ? null : rulesOf(folder, problems, options.rules);
  const runs = folder.runs.map((run) => listedRun(folder, run, problems, kept));
  const { bytes: freeBytes } = await onFile(folder.path, 'looking', () => freeSpaceIn(folder.path));
  return {
    folder: folder.path,
    owners: (folder.mark?.owners ?? []).map(({ id, kind, name, uuid }) => ({ id, kind, name, uuid })),
    freeBytes,
    storedBytes: folder.runs.flatMap(({ disks }) => disks).reduce((sum, disk) => sum + sizeOf(disk), 0),
    runs,
    damaged: folder.damaged.map(({ run, file, error }) => ({ run, file, message: error.message })),
    merging:
      folder.merge === null
        ? null
        : { key: folder.merge.key, below: folder.merge.below, above: folder.merge.above },
    problems: folder.markError === null ? [] : [folder.markError.message],
  };
}

function listedRun(
  folder: BackupFolder,
  run: Manifest,
  problems: Problems,
  kept: ReadonlyMap<number, string[]> | null,
): ListedRun {
  const { kind, name, uuid } = run.source;
  const disks = run.disks.map((disk) => ({
    disk: disk.disk,
    key: disk.key,
    series: folder.seriesOf(disk),
    sizeBytes: disk.sizeBytes,
    epoch: disk.epoch,
    verdict: disk.verdict,
    reason: disk.reason,
    message: disk.message,
    base: disk.base?.run ?? null,
    changedBytes: disk.changedBytes,
    storedBytes: disk.storedBytes,
    zeroBytes: disk.zeroBytes,
    file: disk.file,
    fileBytes: disk.fileBytes ?? null,
    problem: problems.of(run, disk),
  }));
  return {
    run: run.run,
    pit: run.pit,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
    source: { kind, name, uuid, owner: folder.ownerOf(run) },
    good: run.failed.length === 0 && disks.every(({ problem }) => problem === null),
    keptBy: kept === null ? null : (kept.get(run.run) ?? []),
    disks,
    failed: run.failed,
  };
}

/** As `prune` decides: the rules for each disk, and whatever they say the newest state of it that is whole. */
function rulesOf(folder: BackupFolder, problems: Problems, rules: KeepRules): Map<number, string[]> {
  const kept = keptByRules(folder, rules);
  const whole = new Set<string>();
  for (const run of folder.runs.toReversed())
    for (const disk of run.disks) {
      const series = folder.seriesOf(disk);
      if (whole.has(series) || problems.of(run, disk) !== null) continue;
      if (!kept.has(run.run)) kept.set(run.run, ['newest whole']);
      whole.add(series);
    }
  return kept;
}

function sizeOf({ fileBytes, storedBytes }: { fileBytes?: number | undefined; storedBytes: number }): number {
  return fileBytes ?? storedBytes;
}
