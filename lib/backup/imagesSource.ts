/** Images that no VM uses as a backup source: those of a VM that is off, called by their paths. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { invalidArgument } from '../core/errors.js';
import { type Checks, checkOptions, flag, listOf, names, oneOf, text } from '../core/options.js';
import { diskPath } from '../host/diskFiles.js';
import type { OpenDiskOptions } from '../host/open.js';
import { openVm } from '../host/openVm.js';
import type { BackupSource } from './source.js';
import { vmSource } from './vmSource.js';

/** How the images are opened. */
export interface ImagesSourceOptions {
  /** Format of the images; told from each file unless given, and then nothing that it names is opened. */
  format?: OpenDiskOptions['format'];
  /** Whether formats that only the bytes tell are believed, and what such files name is opened. */
  trust?: boolean | undefined;
  /** Folders that sessions on the VM were given for their files while it ran: an overlay that waits there keeps the backup away (`BUSY`). */
  scratchPlaces?: readonly string[] | undefined;
}

const IMAGES_SOURCE: Checks<ImagesSourceOptions> = {
  format: oneOf('qcow2', 'raw', 'parallels'),
  trust: flag,
  scratchPlaces: listOf(text),
};

/**
 * Images that no VM uses, as one source: qcow2 with points in time, any other in full. A path given twice is `ERR_CBT_INVALID_ARGUMENT`.
 * @param paths Of images that no QEMU has open.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for a path that is none.
 * @example
 * ```ts
 * const source = imagesSource(['/vm/disk.qcow2']);
 * ```
 */
export function imagesSource(paths: readonly string[], options: ImagesSourceOptions = {}): BackupSource {
  names(paths, 'images');
  checkOptions('imagesSource', options, IMAGES_SOURCE);
  const { format } = options;
  const known = (path: string): string =>
    format === undefined || format === 'parallels' ? diskPath(path) : path;
  const images = paths.map((path) => known(resolve(path)));
  if (new Set(images).size !== images.length)
    throw invalidArgument('images', images.join(', '), 'every image once');
  // At each call anew: which names are one file can change.
  const source = async (): Promise<{ of: BackupSource; warnings: string[] }> => {
    const { own, warnings } = await byFile(images);
    return { of: vmSource(await openVm({ ...options, images: own })), warnings };
  };
  return {
    leavesPoint: true,
    facts: async (signal) => (await source()).of.facts(signal),
    openDisk: async (disk, signal) => (await source()).of.openDisk(disk, signal),
    forget: async (disk, point, signal) => (await source()).of.forget(disk, point, signal),
    undo: async (disk, pit, signal) => (await source()).of.undo(disk, pit, signal),
    async begin(pit, signal, only) {
      const { of, warnings } = await source();
      const session = await of.begin(pit, signal, only);
      return {
        ...session,
        get warnings() {
          return [...warnings, ...session.warnings];
        },
      };
    },
  };
}

/** The images, each once: two names of one file are one. */
async function byFile(paths: readonly string[]): Promise<{ own: string[]; warnings: string[] }> {
  const files = new Map<string, string>();
  const warnings: string[] = [];
  for (const path of paths) {
    const file = await stat(path, { bigint: true }).then(
      (found) => `${found.dev}:${found.ino}`,
      () => path,
    );
    const same = files.get(file);
    if (same === undefined) files.set(file, path);
    else warnings.push(`${path} is the file ${same} under another name: it is backed up once`);
  }
  return { own: [...files.values()], warnings };
}
