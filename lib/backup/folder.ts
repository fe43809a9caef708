/**
 * A backup folder as it stands: its runs, in order, and the stack of layers that each disk of a run is read through. A
 * damaged manifest is a problem of its own run and of those that build on it, of no other.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CbtError, type CbtErrorDetails, invalidArgument } from '../core/errors.js';
import { type Check, type Checks, checkOptions, flag, text } from '../core/options.js';
import { isMissing, onFile } from './fileFault.js';
import type { DiskRun, Manifest } from './manifest.js';
import { type DamagedRun, readManifests } from './manifestFiles.js';
import { type Mark, readMark } from './mark.js';
import { MERGE_NAME, type MergeJournal, readJournal } from './mergeJournal.js';
import { MAX_RUN, manifestName, PART, parseLayerName, parseManifestName } from './names.js';

/** A disk's layer in a run. */
export interface Layer {
  /** Manifest of the run that it is of. */
  run: Manifest;
  /** What the run says of the disk. */
  disk: DiskRun;
}

const knownRuns: Check = (value, name) => {
  if (!(value instanceof Map)) throw invalidArgument(name, value, 'manifests by the numbers of their runs');
};

const READ: Checks<NonNullable<Parameters<typeof BackupFolder.read>[1]>> = { create: flag, known: knownRuns };

export type { DamagedRun } from './manifestFiles.js';

/**
 * A folder as it was when it was read; it does not follow later changes.
 * @example
 * ```ts
 * const folder = await BackupFolder.read('/backup/web');
 * for (const { run, pit } of folder.runs) console.log(run, pit);
 * ```
 */
export class BackupFolder {
  /** A key serves one series; several keys may, where a disk had been taken for two. */
  readonly #seriesByKey = new Map<string, string>();
  readonly #byNumber: ReadonlyMap<number, Manifest>;

  private constructor(
    /** Absolute. */
    readonly path: string,
    /** Every name in the folder, as it was read. */
    readonly names: readonly string[],
    /** Oldest first; those of a merge under way as they will be. */
    readonly runs: readonly Manifest[],
    /** Runs whose manifest cannot be believed. */
    readonly damaged: readonly DamagedRun[],
    /** The merge that is under way, or was interrupted. */
    readonly merge: MergeJournal | null,
    /** Whose folder it is; null where it says nothing, or nothing that can be believed (`markError`). */
    readonly mark: Mark | null = null,
    /** Why its mark cannot be believed; null where it can, or there is none. */
    readonly markError: CbtError | null = null,
  ) {
    this.#byNumber = new Map(runs.map((run) => [run.run, run]));
    for (const { disks } of runs)
      for (const { key, series } of disks) if (series !== undefined) this.#seriesByKey.set(key, series);
  }

  /**
   * Reads every manifest, but those that `known` has. A folder that is not there is refused, or made and empty.
   * @param folder Its path.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
   * sound.
   */
  static async read(
    folder: string,
    options: { create?: boolean | undefined; known?: ReadonlyMap<number, Manifest> | undefined } = {},
  ): Promise<BackupFolder> {
    text(folder, 'folder');
    checkOptions('BackupFolder.read', options, READ);
    const path = resolve(folder);
    if (options.create) await onFile(path, 'making', () => mkdir(path, { recursive: true, mode: 0o750 }));
    const names = await onFile(path, 'listing', () => readdir(path));
    const merge = names.includes(MERGE_NAME) ? await readJournal(path) : null;
    const settled =
      merge === null ? [] : [merge.newAbove, ...(merge.newBelow === null ? [] : [merge.newBelow])];
    const numbers = names
      .map(parseManifestName)
      .filter((run): run is number => run !== null && run !== merge?.above && run !== merge?.below);
    const { runs, damaged } = await readManifests(path, numbers, options.known);
    runs.push(...settled);
    runs.sort((a, b) => a.run - b.run);
    damaged.sort((a, b) => a.run - b.run);
    const { mark, markError } = await readMark(path).then(
      (found) => ({ mark: found, markError: null }),
      (error: unknown) => {
        if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
        return { mark: null, markError: error };
      },
    );
    return new BackupFolder(path, names, runs, damaged, merge, mark, markError);
  }

  /**
   * The same runs under another mark.
   * @param mark Whose folder it is.
   * @returns The same folder with it.
   */
  withMark(mark: Mark): BackupFolder {
    return new BackupFolder(this.path, this.names, this.runs, this.damaged, this.merge, mark);
  }

  /**
   * Id of the owner whose run it is; null where that cannot be told.
   * @param options A run.
   * @returns Whose run it is; null where that is not known.
   */
  ownerOf({ source }: Manifest): string | null {
    if (source.owner !== undefined) return source.owner;
    const owners = this.mark?.owners ?? [];
    const named = source.uuid?.toLowerCase() ?? null;
    const same = owners.find(({ uuid }) => named !== null && uuid === named);
    const heir = owners.find(({ inherits, uuid }) => inherits && (named === null || uuid === null));
    return (same ?? heir)?.id ?? null;
  }

  /**
   * Which disk through time a layer belongs to; runs of version 1 know it by the name of their files only.
   * @param options A disk of a run.
   * @returns Its series.
   */
  seriesOf({ key }: Pick<DiskRun, 'key'>): string {
    return this.#seriesByKey.get(key) ?? key;
  }

  /**
   * Path of a file in the folder.
   * @param name Of a file in it.
   * @returns Its path.
   */
  file(name: string): string {
    return join(this.path, name);
  }

  /** A number above every run's, that no name in the folder has, whoever made the file. */
  get nextRun(): number {
    const used = new Set<number>();
    let last = 0;
    for (const name of this.names) {
      const whole = name.endsWith(PART) ? name.slice(0, -PART.length) : name;
      const run = parseManifestName(whole);
      last = Math.max(last, run ?? 0);
      used.add(run ?? parseLayerName(whole)?.run ?? 0);
    }
    let next = last + 1;
    while (used.has(next)) next += 1;
    if (next <= MAX_RUN) return next;
    throw new CbtError('ERR_CBT_UNSUPPORTED', `${this.path} has run ${last}: ${MAX_RUN} is the last number`);
  }

  /**
   * The layers a disk of a run is read through, the full one first. Throws where a link is missing or does not fit.
   * @param run The run.
   * @param disk The disk.
   * @throws `CbtError`: ERR_CBT_CORRUPT_IMAGE where a layer is not there.
   */
  stack(run: Manifest, disk: DiskRun): Layer[] {
    const layers: Layer[] = [];
    for (let layer: Layer | null = { run, disk }; layer !== null; layer = this.below(layer))
      layers.push(layer);
    return layers.reverse();
  }

  /**
   * The layer that this one builds on; null below a full one. Throws where it is missing or does not fit.
   * @param options A layer.
   * @returns The one below; null for a full one.
   */
  below({ disk: top }: Layer): Layer | null {
    const { base } = top;
    if (base === null) return null;
    const run = this.#byNumber.get(base.run);
    const disk = run?.disks.find(({ key }) => key === top.key);
    const file = manifestName(base.run);
    if (run === undefined || disk === undefined) {
      const broken = this.damaged.find((candidate) => candidate.run === base.run);
      throw brokenStack(
        `${top.file} builds on run ${base.run}, ${broken === undefined ? `of which ${file} ${run === undefined ? 'is missing' : `has no disk ${top.key}`}` : `and ${broken.error.message}`}`,
        { file, run: base.run },
      );
    }
    if (run.pit !== base.pit) {
      throw brokenStack(
        `${top.file} builds on run ${base.run} with the point in time ${base.pit}, but ${file} has ${run.pit}`,
        { file, run: base.run },
      );
    }
    if (disk.epoch === null || disk.epoch !== top.epoch) {
      throw brokenStack(
        `${top.file} holds changes of the history ${top.epoch ?? 'none'}, but builds on run ${base.run} of the history ${disk.epoch ?? 'none'}: another disk's, or one that ended`,
        { file: top.file, run: base.run },
      );
    }
    return { run, disk };
  }

  /**
   * The layers that build directly on this one.
   * @param run The run.
   * @param disk The disk.
   * @returns The layers right above it.
   */
  children(run: Manifest, disk: DiskRun): Layer[] {
    return this.runs.flatMap((candidate) =>
      candidate.disks
        .filter((other) => other.key === disk.key && other.base?.run === run.run)
        .map((other) => ({ run: candidate, disk: other })),
    );
  }
}

export function brokenStack(what: string, details: CbtErrorDetails): CbtError {
  return new CbtError('ERR_CBT_CORRUPT_IMAGE', what, { details });
}

/** Whether there is such a folder. */
export async function folderExists(path: string): Promise<boolean> {
  try {
    await readdir(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    return onFile(path, 'listing', () => Promise.reject(error));
  }
}
