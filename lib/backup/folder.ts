/**
 * A backup folder as it stands: its runs, in order, and the chain of layers that each disk of a run is read through. A
 * damaged manifest is a problem of its own run and of those that build on it, of no other.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CbtError, type CbtErrorDetails } from '../core/errors.js';
import { readSmallFile } from './durable.js';
import { isMissing, onFile } from './fileFault.js';
import { type DiskRun, MAX_MANIFEST_BYTES, type Manifest, parseManifest } from './manifest.js';
import { manifestName, parseLayerName, parseManifestName } from './names.js';

/** A disk's layer in a run. */
export interface Layer {
  run: Manifest;
  disk: DiskRun;
}

/** A run whose manifest cannot be believed. */
export interface DamagedRun {
  run: number;
  file: string;
  error: CbtError;
}

/** A folder as it was when it was read; it does not follow later changes. */
export class BackupFolder {
  private constructor(
    readonly path: string,
    /** Every name in the folder, as it was read. */
    readonly names: readonly string[],
    /** Oldest first. */
    readonly runs: readonly Manifest[],
    readonly damaged: readonly DamagedRun[],
  ) {}

  /** Reads every manifest. A folder that is not there is refused, or made and empty. */
  static async read(folder: string, options: { create?: boolean } = {}): Promise<BackupFolder> {
    const path = resolve(folder);
    if (options.create) await onFile(path, 'making', () => mkdir(path, { recursive: true, mode: 0o750 }));
    const names = await onFile(path, 'listing', () => readdir(path));
    const runs: Manifest[] = [];
    const damaged: DamagedRun[] = [];
    const numbers = names.map(parseManifestName).filter((run) => run !== null);
    for (const run of numbers.sort((a, b) => a - b)) {
      const file = manifestName(run);
      try {
        const text = await readSmallFile(join(path, file), MAX_MANIFEST_BYTES);
        // Removed since the folder was listed: a prune is at work, and the run is gone.
        if (text !== null) runs.push(parseManifest(text, file, run));
      } catch (error) {
        if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
        damaged.push({ run, file, error });
      }
    }
    return new BackupFolder(path, names, runs, damaged);
  }

  /** Path of a file in the folder. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** A number above every run's, damaged ones and leftovers included. */
  get nextRun(): number {
    let last = 0;
    for (const name of this.names) {
      last = Math.max(last, parseManifestName(name) ?? 0, parseLayerName(name)?.run ?? 0);
    }
    return last + 1;
  }

  /** The layers a disk of a run is read through, the full one first. Throws where a link is missing or does not fit. */
  chain(run: Manifest, disk: DiskRun): Layer[] {
    const layers: Layer[] = [{ run, disk }];
    for (let top = disk; top.base !== null; ) {
      const { base } = top;
      const below = this.runs.find((candidate) => candidate.run === base.run);
      const layer = below?.disks.find((candidate) => candidate.key === disk.key);
      const file = manifestName(base.run);
      if (below === undefined || layer === undefined) {
        const broken = this.damaged.find((candidate) => candidate.run === base.run);
        throw brokenChain(
          `${top.file} builds on run ${base.run}, ${broken === undefined ? `of which ${file} ${below === undefined ? 'is missing' : `has no disk ${disk.key}`}` : `and ${broken.error.message}`}`,
          { file, run: base.run },
        );
      }
      if (below.pit !== base.pit) {
        throw brokenChain(
          `${top.file} builds on run ${base.run} with the point in time ${base.pit}, but ${file} has ${below.pit}`,
          { file, run: base.run },
        );
      }
      if (layer.epoch === null || layer.epoch !== top.epoch) {
        throw brokenChain(
          `${top.file} holds changes of the history ${top.epoch ?? 'none'}, but builds on run ${base.run} of the history ${layer.epoch ?? 'none'}: another disk's, or one that ended`,
          { file: top.file, run: base.run },
        );
      }
      layers.unshift({ run: below, disk: layer });
      top = layer;
    }
    return layers;
  }

  /** The layers that build directly on this one. */
  children(run: Manifest, disk: DiskRun): Layer[] {
    return this.runs.flatMap((candidate) =>
      candidate.disks
        .filter((other) => other.key === disk.key && other.base?.run === run.run)
        .map((other) => ({ run: candidate, disk: other })),
    );
  }
}

export function brokenChain(what: string, details: CbtErrorDetails): CbtError {
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
