/**
 * Layers that no manifest lists: of a run whose manifest is damaged or was moved away, or of somebody else. What they build on
 * is in their headers, and has to stay: their manifest may come back, and qemu-img reads them without one.
 */
import { basename } from 'node:path';
import { CbtError } from '../core/errors.js';
import { PlainImage } from '../host/plainImage.js';
import type { BackupFolder } from './folder.js';
import type { DiskRun } from './manifest.js';
import { parseLayerName } from './names.js';

/** Files in the folder that stand on layers without being in a manifest. */
export class UnlistedLayers {
  /** By the layer that they name; the file's own name. */
  readonly #builders = new Map<string, string>();
  /** Files of which that cannot be told, by the key in their name. */
  readonly #unclear = new Map<string, string>();

  static async read(folder: BackupFolder): Promise<UnlistedLayers> {
    const found = new UnlistedLayers();
    const listed = new Set(folder.runs.flatMap(({ disks }) => disks.map(({ file }) => file)));
    for (const name of folder.names) {
      if (!name.endsWith('.qcow2') || listed.has(name)) continue;
      try {
        await using image = await PlainImage.open(folder.file(name));
        if (image.backing !== null) found.#builders.set(basename(image.backing.name), name);
      } catch (error) {
        if (!(error instanceof CbtError) && !(error instanceof Error && 'syscall' in error)) throw error;
        const key = parseLayerName(name)?.key;
        if (key !== undefined) found.#unclear.set(key, name);
      }
    }
    return found;
  }

  /** The file that builds on this layer, or may; null where there is none. */
  on({ file, key }: DiskRun): string | null {
    return this.#builders.get(file) ?? this.#unclear.get(key) ?? null;
  }
}
