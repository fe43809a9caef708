/**
 * Where files go that may become large, unless somebody names a folder: the folder for temporary files; /var/tmp where that is memory, or where
 * less than a gigabyte is left there. Whoever set TMPDIR has named one.
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { fileSystemOf } from './fileSystem.js';
import { freeSpaceIn } from './freeSpace.js';

/** Less is left to the system. */
export const LEAST_SCRATCH_BYTES = 1 << 30;

const LASTING = '/var/tmp';

/** Every folder that may have been chosen, or may be at another time. */
export function scratchPlaces(): string[] {
  return [...new Set([tmpdir(), LASTING].map((place) => resolve(place)))];
}

/** The folder as things are now. */
export async function scratchPlace(): Promise<string> {
  const named = [process.env['TMPDIR'], process.env['TMP'], process.env['TEMP']].some(Boolean);
  return named ? tmpdir() : firstRoomy([tmpdir(), LASTING]);
}

/** The first of them that is a disk with that much room and can be written to; the first of all where none is. */
export async function firstRoomy(
  places: readonly [string, ...string[]],
  leastBytes = LEAST_SCRATCH_BYTES,
): Promise<string> {
  for (const place of places) if (await isRoomy(place, leastBytes).catch(() => false)) return place;
  return places[0];
}

async function isRoomy(place: string, leastBytes: number): Promise<boolean> {
  await access(place, constants.W_OK | constants.X_OK);
  const [{ inMemory }, { bytes }] = await Promise.all([fileSystemOf(place), freeSpaceIn(place)]);
  return !inMemory && (bytes === null || bytes >= leastBytes);
}
