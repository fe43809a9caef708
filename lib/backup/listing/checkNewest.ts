/**
 * Is there a backup young enough? Asked of every disk that the folder has, and answered by its newest run that is whole: manifest, stack,
 * and each file below it with its size and header. No data is read; that is what `verify` is for.
 */
import type { CallOptions } from '../../core/callOptions.js';
import { CbtError, invalidArgument, throwIfAborted } from '../../core/errors.js';
import type { DiskName } from '../../core/ids.js';
import { type Checks, checkOptions, flag, integer, names, required, text } from '../../core/options.js';
import { within } from '../../core/within.js';
import type { BackupFolder, Layer } from '../folder.js';
import { checkLayerFiles } from '../layerFiles.js';
import type { DiskRun } from '../manifest.js';
import type { Owner } from '../mark.js';
import { CALL } from '../options.js';
import { type Series, seriesIn } from '../series.js';
import { layerProblems } from './layerProblems.js';
import type { CheckedDisk, NewestCheck } from './listSchema.js';
import { readSettled, type SettledFolder } from './settledFolder.js';

/** Which folder, and how old its newest runs may be. */
export interface CheckNewestOptions extends CallOptions {
  /** Folder of the backup. */
  from: string;
  /** The most that may have gone by since the newest good run of each disk began, in milliseconds. */
  maxAgeMs: number;
  /** Names of the disks that have to be there, as the manifests or the folder’s files have them; all of the folder unless given. */
  disks?: readonly DiskName[] | undefined;
  /** Name or UUID of the VM, in a folder of several owners; all of them unless given. */
  vm?: string | undefined;
  /** Also not good: a newest run that is full because the chain was lost, and a later run in which the disk failed. */
  strict?: boolean | undefined;
}

const CHECK: Checks<CheckNewestOptions> = {
  from: required(text),
  maxAgeMs: required(integer(1)),
  disks: names,
  vm: text,
  strict: flag,
  ...CALL,
};

/** Clocks of two machines may differ; a run that is further ahead than this was dated by a wrong one. */
const AHEAD_MS = 5 * 60_000;

/**
 * Looks whether every disk of a folder has a good run that is young enough. What is not as it should be is in the result; it throws where
 * the folder cannot be read, and `ERR_CBT_INVALID_ARGUMENT` for a VM that the folder is not of.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * const check = await checkNewest({ from: '/backup/web', maxAgeMs: 26 * 3_600_000 });
 * ```
 */
export async function checkNewest(options: CheckNewestOptions): Promise<NewestCheck> {
  checkOptions('checkNewest', options, CHECK);
  return within('checkNewest', options, (own = options) => checkSettled(own));
}

async function checkSettled(options: CheckNewestOptions): Promise<NewestCheck> {
  for (;;) {
    const settled = await readSettled(options.from, options.signal);
    const result = await checkFolder(settled, options);
    if (result.good) return result;
    // A prune may have taken away what was looked for; it can only do so for as long as there is something left to take.
    const again = await readSettled(options.from, options.signal);
    if (sameRuns(settled.folder, again.folder)) return result;
  }
}

function sameRuns(one: BackupFolder, other: BackupFolder): boolean {
  const files = ({ runs, merge }: BackupFolder): string =>
    JSON.stringify([runs.map(({ pit, disks }) => [pit, disks.map(({ file, base }) => [file, base])]), merge]);
  return files(one) === files(other);
}

async function checkFolder(settled: SettledFolder, options: CheckNewestOptions): Promise<NewestCheck> {
  const { folder } = settled;
  const { disks: wanted, maxAgeMs, strict = false, signal } = options;
  const owner = options.vm === undefined ? null : ownerNamed(folder, options.vm);
  const files = new LayerFiles(settled);
  const now = Date.now();
  const ofOwner = seriesIn(folder).filter((series) => owner === null || series.owner === owner.id);
  const checked: CheckedDisk[] = [];
  const known = new Set<string>();
  const named = new Set<string>();
  for (const series of ofOwner) {
    const names = namesOf(series);
    for (const name of vmNamesOf(series)) known.add(ownName(series.owner, name));
    if (wanted !== undefined && !wanted.some((name) => names.includes(name))) continue;
    for (const name of names) named.add(name);
    const found = await newestGood(folder, series, files, signal);
    const problem = problemOf(folder, series, found, { now, maxAgeMs, strict });
    const startedAt = found.layer?.run.startedAt ?? null;
    checked.push({
      disk: names[0] ?? '',
      series: series.id,
      owner: series.owner,
      run: found.layer?.run.run ?? null,
      startedAt,
      ageMs: startedAt === null ? null : now - Date.parse(startedAt),
      good: problem === null,
      problem,
    });
  }
  const absent = failedOnly(folder, owner).filter(
    (one) => !known.has(ownName(one.owner, one.disk)) && (wanted?.includes(one.disk) ?? true),
  );
  for (const { disk } of absent) named.add(disk);
  for (const disk of wanted ?? []) if (!named.has(disk)) absent.push({ disk, owner: owner?.id ?? null });
  for (const one of absent) {
    const whose = folder.mark?.owners.find(({ id }) => id === one.owner)?.name ?? null;
    const problem = `no run of it is in the folder${whose === null ? '' : `, of VM ${whose}`}`;
    checked.push({ ...one, series: '', run: null, startedAt: null, ageMs: null, good: false, problem });
  }
  const problems = folder.damaged.map(({ error }) => error.message);
  if (folder.markError !== null) problems.push(folder.markError.message);
  if (checked.length === 0) problems.push(`${folder.path} holds no run`);
  const good = checked.length > 0 && checked.every((disk) => disk.good);
  return { folder: folder.path, good, maxAgeMs, disks: checked, problems };
}

/** The newest name first. */
function namesOf({ layers }: Series): string[] {
  return [...new Set(layers.slice(0, 1).flatMap(({ disk }) => [disk.disk, disk.key]))];
}

/** What its VM calls it, newest first: what it was called while the VM was off is a path. */
function vmNamesOf({ layers }: Series): string[] {
  const running = layers.find(({ run }) => run.source.kind === 'vm');
  return [layers[0], running].flatMap((layer) => layer?.disk.disk ?? []);
}

/** Two VMs may each have a disk of one name. */
function ownName(owner: string | null, disk: string): string {
  return JSON.stringify([owner, disk]);
}

/** Disks that failed in the newest run of their owner. */
function failedOnly(folder: BackupFolder, owner: Owner | null): { disk: string; owner: string | null }[] {
  const newest = new Map(folder.runs.map((run) => [folder.ownerOf(run), run]));
  return [...newest]
    .filter(([id]) => owner === null || id === owner.id)
    .flatMap(([id, { failed }]) => failed.map(({ disk }) => ({ disk, owner: id })));
}

function ownerNamed({ mark, path }: BackupFolder, vm: string): Owner {
  const owners = mark?.owners ?? [];
  const found = owners.filter(({ uuid, name }) => name === vm || uuid === vm.toLowerCase());
  const [owner] = found;
  if (owner !== undefined && found.length === 1) return owner;
  const known = owners.map(({ name, uuid }) => name ?? uuid ?? 'images without a name').join(', ');
  throw invalidArgument('vm', vm, `one owner of ${path}, which has ${known === '' ? 'no mark' : known}`);
}

/** The newest layer that is whole, and why the newest of all is not. */
async function newestGood(
  folder: BackupFolder,
  { layers }: Series,
  files: LayerFiles,
  signal: AbortSignal | undefined,
): Promise<{ layer: Layer | null; problem: string | null }> {
  let first: string | null = null;
  for (const layer of layers) {
    const problem = await files.problemOf(folder, layer, signal);
    if (problem === null) return { layer, problem: first };
    first ??= `run ${layer.run.run}: ${problem}`;
  }
  return { layer: null, problem: first };
}

function problemOf(
  folder: BackupFolder,
  series: Series,
  { layer, problem }: { layer: Layer | null; problem: string | null },
  { now, maxAgeMs, strict }: { now: number; maxAgeMs: number; strict: boolean },
): string | null {
  const because = problem === null ? '' : `; ${problem}`;
  if (layer === null) return `no run of it is whole${because}`;
  const { run, disk } = layer;
  const ageMs = now - Date.parse(run.startedAt);
  if (ageMs < -AHEAD_MS) return `run ${run.run} is dated ${run.startedAt}, which is still to come`;
  if (ageMs > maxAgeMs) return `its newest good run, ${run.run}, began at ${run.startedAt}${because}`;
  if (!strict) return null;
  if (disk.verdict === 'full' && disk.reason !== null)
    return `run ${run.run} is full, ${disk.reason}: ${disk.message ?? 'its chain was lost'}`;
  if (problem !== null) return problem;
  const later = folder.runs.find(
    (one) =>
      one.run > run.run &&
      folder.ownerOf(one) === series.owner &&
      one.failed.some((failed) => failed.disk === disk.disk),
  );
  return later === undefined ? null : `it failed in run ${later.run}`;
}

/** Whether files are as their manifests say; each layer is looked at once, however many stand on it. */
class LayerFiles {
  readonly #known = new Map<DiskRun, string | null>();
  readonly #names: ReturnType<typeof layerProblems>;

  constructor(settled: SettledFolder) {
    this.#names = layerProblems(settled);
  }

  async problemOf(folder: BackupFolder, top: Layer, signal: AbortSignal | undefined): Promise<string | null> {
    const byNames = this.#names.of(top.run, top.disk);
    if (byNames !== null) return byNames;
    // The lowest first: what is wrong below is wrong above.
    let problem: string | null = null;
    for (const layer of folder.stack(top.run, top.disk)) {
      throwIfAborted(signal);
      const known = this.#known.get(layer.disk);
      if (known === undefined) problem ??= await fileProblem(folder, layer);
      else problem ??= known;
      this.#known.set(layer.disk, problem);
    }
    return problem;
  }
}

async function fileProblem(folder: BackupFolder, layer: Layer): Promise<string | null> {
  try {
    await checkLayerFiles(folder, layer);
    return null;
  } catch (error) {
    if (error instanceof CbtError && error.code === 'ERR_CBT_CORRUPT_IMAGE') return error.message;
    throw error;
  }
}
