/** The runs that a target holds, and the stack of layers that each disk of a run is read through. */
import { CbtError, invalidArgument } from '../../core/errors.js';
import { parseUuid } from '../../core/pointInTime.js';
import { type BackupTarget, targetFailed } from '../target.js';
import {
  isRunKey,
  layerKeys,
  MAX_MANIFEST_BYTES,
  type ObjectLayer,
  type ObjectRun,
  parseObjectManifest,
} from './objectManifest.js';

/** A run whose manifest cannot be believed. */
export interface DamagedObjectRun {
  key: string;
  error: CbtError;
}

/** What a target held when it was looked at. */
export class ObjectRuns {
  private constructor(
    readonly target: BackupTarget,
    /** Oldest first. */
    readonly runs: readonly ObjectRun[],
    readonly damaged: readonly DamagedObjectRun[],
    /** Every object of data that there is. */
    readonly objects: ReadonlySet<string>,
  ) {}

  static async read(target: BackupTarget, signal: AbortSignal | undefined): Promise<ObjectRuns> {
    // Manifests first: what they name was there before them.
    const keys = (await listed(target, 'runs/', signal)).filter(isRunKey).sort();
    const objects = new Set(await listed(target, 'data/', signal));
    const runs: ObjectRun[] = [];
    const damaged: DamagedObjectRun[] = [];
    for (const key of keys) {
      try {
        const text = await readText(target, key, MAX_MANIFEST_BYTES, signal);
        runs.push({ key, manifest: parseObjectManifest(text, key) });
      } catch (error) {
        if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
        damaged.push({ key, error });
      }
    }
    return new ObjectRuns(target, runs, damaged, objects);
  }

  /** Keys of all manifests, damaged ones too. */
  get keys(): string[] {
    return [...this.runs, ...this.damaged].map(({ key }) => key);
  }

  /** The layers that a disk of a run is read through, the full one first. Throws where one is missing or does not fit. */
  stack(top: ObjectLayer): ObjectLayer[] {
    const layers = [top];
    for (let layer = top; layer.disk.base !== null; ) {
      const below = this.#below(layer, layer.disk.base);
      layers.push(below);
      layer = below;
    }
    for (const layer of layers) this.#requireObjects(layer);
    return layers.reverse();
  }

  /** By a PIT UUID or a manifest's key, and the disk's name; the newest run that has it unless told. */
  select({ pit, disk: name }: { pit?: string | undefined; disk?: string | undefined }): ObjectLayer {
    const uuid = pit === undefined ? null : parseUuid(pit);
    const runs = this.runs.filter(
      ({ key, manifest }) => pit === undefined || key === pit || manifest.pit === uuid,
    );
    const [broken] = this.damaged;
    if (
      runs.length === 0 ||
      (pit === undefined && (this.damaged.at(-1)?.key ?? '') > (runs.at(-1)?.key ?? ''))
    )
      throw broken?.error ?? nothingThere(this.target, pit);
    const names = new Set(runs.flatMap(({ manifest }) => manifest.disks.map(({ disk }) => disk)));
    if (name === undefined && names.size > 1)
      throw invalidArgument('disk', name, `one of ${[...names].join(', ')}`);
    for (const run of runs.toReversed()) {
      const disk = run.manifest.disks.find((one) => name === undefined || one.disk === name);
      if (disk !== undefined) return { run, disk };
    }
    throw invalidArgument('disk', name, `one of ${[...names].join(', ')}`);
  }

  /** The same disk is known by its history: an incremental layer is of the epoch that it builds on. */
  #below({ run, disk }: ObjectLayer, base: string): ObjectLayer {
    const below = this.runs.find(({ key }) => key === base);
    const same = below?.manifest.disks.filter(({ epoch }) => epoch !== null && epoch === disk.epoch) ?? [];
    const [found, another] = same;
    if (below !== undefined && found !== undefined && another === undefined)
      return { run: below, disk: found };
    throw new CbtError(
      'ERR_CBT_CORRUPT_IMAGE',
      `${run.key} builds ${disk.disk} on ${base}, which ${below === undefined ? 'is missing or damaged' : 'does not have that disk'}`,
      { disk: disk.disk, details: { key: base } },
    );
  }

  #requireObjects(layer: ObjectLayer): void {
    for (const key of Object.values(layerKeys(layer)))
      if (!this.objects.has(key))
        throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${key} of ${layer.run.key} is missing`, {
          disk: layer.disk.disk,
          details: { key },
        });
  }
}

async function listed(
  target: BackupTarget,
  prefix: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const keys: string[] = [];
  try {
    for await (const key of target.list(prefix, { signal }))
      if (typeof key === 'string' && key.startsWith(prefix)) keys.push(key);
  } catch (error) {
    throw targetFailed(target, prefix, 'listing', error);
  }
  return keys;
}

async function readText(
  target: BackupTarget,
  key: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of target.read(key, { signal })) {
      bytes += part.length;
      if (bytes > maxBytes)
        throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${key} has more than ${maxBytes} bytes`, {
          details: { key },
        });
      parts.push(Uint8Array.from(part));
    }
  } catch (error) {
    throw targetFailed(target, key, 'reading', error);
  }
  return Buffer.concat(parts).toString('utf8');
}

function nothingThere(target: BackupTarget, pit: string | undefined): CbtError {
  if (pit === undefined)
    return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${target.name} holds no backup`, {
      details: { target: target.name },
    });
  return new CbtError('ERR_CBT_UNKNOWN_PIT', `${target.name} holds no run with the point in time ${pit}`, {
    reason: 'UNKNOWN_PIT',
    details: { pit },
  });
}
