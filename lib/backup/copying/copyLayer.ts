/**
 * One layer into a second place: under other names until each of its bytes was held against the sums, there. What a copy that was ended
 * left is gone on with, and what of it is not right is made anew.
 */
import { rename } from 'node:fs/promises';
import { CbtError } from '../../core/errors.js';
import { removeFile, syncFolder } from '../durable.js';
import { onFile } from '../fileFault.js';
import type { BackupFolder, Layer } from '../folder.js';
import { checkLayerFiles, type LayerPlace } from '../layerFiles.js';
import { requireLayerFile } from '../layerHeader.js';
import { layerName, PART } from '../names.js';
import type { RateLimit } from '../rate.js';
import { requireStored } from '../stored.js';
import { checkSumsFile } from '../sums.js';
import { verifyLayer } from '../verifyLayer.js';
import { copyFileOnto } from './copyFile.js';

export interface CopyLayerOptions {
  signal: AbortSignal | undefined;
  limit: RateLimit | undefined;
  /** Told bytes of files; fewer than none where some are copied again. */
  onBytes: (bytes: number) => void;
  /** Names of files that an earlier copy said it would make: nobody else's are taken away. */
  own: ReadonlySet<string>;
}

/** Names that the layer's files have on their way. */
export function filesOf({ file, sums }: Layer['disk']): [string, string, string, string] {
  return [file, sums.file, file + PART, sums.file + PART];
}

/**
 * Gives why files of the layer's names stay as they are and it was not copied; null where it is there now. Throws `ERR_CBT_CORRUPT_IMAGE`
 * naming the layer's own file where that is damaged; nothing is left of it then.
 */
export async function copyLayer(
  source: BackupFolder,
  target: BackupFolder,
  layer: Layer,
  options: CopyLayerOptions,
): Promise<CbtError | null> {
  const { disk } = layer;
  const place = await checkLayerFiles(source, layer);
  const wrong = await whatIsWrong(target, layer, options.signal);
  if (wrong === null) {
    options.onBytes((disk.fileBytes ?? 0) + disk.sums.bytes);
    return null;
  }
  const theirs = await fileOfOthers(target, disk, options.own);
  if (theirs !== null) return notOurs(source, target, layer, theirs, wrong);
  try {
    // The old ones of a run that is made whole again, or of another state of this one.
    for (const name of [disk.file, disk.sums.file]) await removeFile(target.file(name));
    if (!(await tryCopy(source, target, layer, options))) await requireCopied(source, target, layer, options);
    return null;
  } catch (error) {
    if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
    for (const name of filesOf(disk)) await removeFile(target.file(name));
    // Which of the two it is: the one that is kept here, as a rule.
    await checkSumsFile(place.sums, disk.sums);
    await verifyLayer(layer, place, { ...options, onBytes: ignore, onNote: ignore });
    throw error;
  }
}

/** False where it went on from what was there, and what came of it is not right. */
async function tryCopy(
  source: BackupFolder,
  target: BackupFolder,
  layer: Layer,
  options: CopyLayerOptions,
): Promise<boolean> {
  let counted = 0;
  let wentOn = false;
  const onBytes = (bytes: number): void => {
    counted += bytes;
    options.onBytes(bytes);
  };
  const { disk } = layer;
  try {
    for (const name of [disk.sums.file, disk.file])
      wentOn =
        (await copyFileOnto(source.file(name), target.file(name + PART), { ...options, onBytes })) || wentOn;
    await settle(target, layer, options.signal);
    return true;
  } catch (error) {
    if (!wentOn || !(error instanceof CbtError) || error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
    for (const name of filesOf(disk)) await removeFile(target.file(name));
    options.onBytes(-counted);
    return false;
  }
}

async function requireCopied(...args: Parameters<typeof tryCopy>): Promise<void> {
  if (!(await tryCopy(...args)))
    throw new CbtError('ERR_CBT_INTERNAL', 'a file that was made anew was there');
}

/** Holds the copy against its sums, and gives it its names. */
async function settle(
  target: BackupFolder,
  { run, disk }: Layer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const part = target.file(disk.file + PART);
  const expected = { sizeBytes: disk.sizeBytes, base: baseOf(disk) };
  const place: LayerPlace = {
    files: [{ path: part, expected }],
    sums: target.file(disk.sums.file + PART),
    settled: true,
  };
  await checkSumsFile(place.sums, disk.sums);
  await requireLayerFile(part, expected);
  await verifyLayer({ run, disk }, place, { signal, onBytes: ignore, onNote: ignore });
  for (const name of [disk.file, disk.sums.file])
    await onFile(target.file(name), 'renaming', () => rename(target.file(name + PART), target.file(name)));
  await syncFolder(target.path);
}

/** Null where both files have their names already, and each byte is as this state of the run has it; believed is no name. */
async function whatIsWrong(
  target: BackupFolder,
  { run, disk }: Layer,
  signal: AbortSignal | undefined,
): Promise<CbtError | null> {
  const path = target.file(disk.file);
  const expected = { sizeBytes: disk.sizeBytes, base: baseOf(disk) };
  const place: LayerPlace = {
    files: [{ path, expected }],
    sums: target.file(disk.sums.file),
    settled: true,
  };
  try {
    await requireStored(target, disk);
    await checkSumsFile(place.sums, disk.sums);
    await requireLayerFile(path, expected);
    await verifyLayer({ run, disk }, place, { signal, onBytes: ignore, onNote: ignore });
    return null;
  } catch (error) {
    if (error instanceof CbtError && error.code === 'ERR_CBT_CORRUPT_IMAGE') return error;
    throw error;
  }
}

/** A file under one of the layer's names that no copy said it would make; sums that fit are as good as ours. */
async function fileOfOthers(
  target: BackupFolder,
  { file, sums }: Layer['disk'],
  own: ReadonlySet<string>,
): Promise<string | null> {
  const names = new Set(target.names);
  if (names.has(file) && !own.has(file)) return file;
  if (!names.has(sums.file) || own.has(sums.file)) return null;
  try {
    await checkSumsFile(target.file(sums.file), sums);
    return null;
  } catch (error) {
    if (error instanceof CbtError && error.code === 'ERR_CBT_CORRUPT_IMAGE') return sums.file;
    throw error;
  }
}

function notOurs(
  source: BackupFolder,
  target: BackupFolder,
  { run: { run } }: Layer,
  file: string,
  { message }: CbtError,
): CbtError {
  return new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${target.file(file)} is there already, and is not what run ${run} of ${source.path} has (${message}): it stays as it is; move it away and copy again`,
    { details: { file, run } },
  );
}

function baseOf({ key, base }: Layer['disk']): string | null {
  return base === null ? null : layerName(key, base.run);
}

function ignore(): void {
  // Nobody is told.
}
