/**
 * What a path stands for: one file in a format, whatever lies below it, or a Parallels folder whose descriptor lists the
 * files. Decided once, when the disk is opened: what is written later changes no file's format.
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type ImageFormat, probeFormat } from './formatProbe.js';
import type { OpenFiles } from './openFiles.js';
import { DESCRIPTOR, findDiskFiles, requireAlone } from './parallels/diskFiles.js';

export type DiskPlace =
  | {
      kind: 'file';
      path: string;
      format: ImageFormat;
      /** Whether only its bytes tell the format. */
      guessed: boolean;
    }
  | { kind: 'hdd'; folder: string };

export interface PlaceOptions {
  /** As somebody said it; told from the bytes unless given. */
  format?: ImageFormat | undefined;
  /** What the bytes tell is believed. */
  trust?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Fails early where the file on top cannot be found or opened; it is left open in `files`. */
export async function findPlace(path: string, files: OpenFiles, options: PlaceOptions): Promise<DiskPlace> {
  const { format, trust = false, signal } = options;
  const folder = await findFolder(path, format ?? null);
  if (folder !== null) {
    const [top] = (await findDiskFiles(folder, signal)).images;
    await files.open(top.path);
    return { kind: 'hdd', folder };
  }
  const file = await files.open(path);
  const known = format ?? (await probeFormat(await file.snapshot(), signal));
  if (known === 'parallels') await requireAlone(path, signal);
  return { kind: 'file', path, format: known, guessed: format === undefined && !trust };
}

/** The folder is the disk, also where its descriptor is named: taken for an image, that would be a raw disk that never changed. */
export async function findFolder(path: string, format: string | null): Promise<string | null> {
  if (format !== null && format !== 'parallels') return null;
  if (await is(path, 'folder'))
    return format === 'parallels' || (await is(join(path, DESCRIPTOR), 'file')) ? path : null;
  return format === null && basename(path) === DESCRIPTOR ? dirname(path) : null;
}

async function is(path: string, kind: 'folder' | 'file'): Promise<boolean> {
  try {
    const stats = await stat(path);
    return kind === 'folder' ? stats.isDirectory() : stats.isFile();
  } catch {
    return false;
  }
}
