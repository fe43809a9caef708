/**
 * Which files a layer is read from. Its own, as a rule; while a merge is under way, one layer is still in two:
 *
 *   copying   disk-000002.qcow2 under disk-000003.qcow2, sums disk-000003.sums.part
 *   renamed   disk-000003.qcow2 (that was 2),            sums disk-000003.sums.part
 *   told      disk-000003.qcow2,                         sums disk-000003.sums
 *
 * The upper file covers everything that is being written into the lower one, so that the two together read the same at every
 * moment.
 */
import { lstat } from 'node:fs/promises';
import { throwIfAborted } from '../core/errors.js';
import { isMissing, onFile } from './fileFault.js';
import type { BackupFolder, Layer } from './folder.js';
import { LayerData, type LayerFile } from './layerData.js';
import { requireLayerFile } from './layerHeader.js';
import { layerName, PART } from './names.js';
import { requireStored } from './stored.js';
import { checkSumsFile } from './sums.js';

/** Where a layer's bytes and sums are. */
export interface LayerPlace {
  /** The lowest first. */
  files: LayerFile[];
  /** Path of the sums file. */
  sums: string;
  /** Whether it is one layer in one file, with the sizes that its manifest says. */
  settled: boolean;
}

export async function placeOf(folder: BackupFolder, { run, disk }: Layer): Promise<LayerPlace> {
  const { merge } = folder;
  const base = disk.base === null ? null : layerName(disk.key, disk.base.run);
  const file = { path: folder.file(disk.file), expected: { sizeBytes: disk.sizeBytes, base } };
  const sums = folder.file(disk.sums.file);
  if (merge === null || merge.above !== run.run || merge.key !== disk.key)
    return { files: [file], sums, settled: true };
  const part = sums + PART;
  const told = (await isThere(part)) ? part : sums;
  const lower = layerName(disk.key, merge.below);
  if (!(await isThere(folder.file(lower)))) return { files: [file], sums: told, settled: false };
  return {
    files: [
      // Its size becomes the upper one's at some moment.
      { path: folder.file(lower), expected: { sizeBytes: null, base } },
      { path: file.path, expected: { sizeBytes: disk.sizeBytes, base: lower } },
    ],
    sums: told,
    settled: false,
  };
}

/** Sizes of files and headers of a layer: cheap enough to be asked before anything is built on it. */
export async function checkLayerFiles(folder: BackupFolder, layer: Layer): Promise<LayerPlace> {
  const place = await placeOf(folder, layer);
  if (place.settled) await requireStored(folder, layer.disk);
  for (const { path, expected } of place.files) await requireLayerFile(path, expected);
  return place;
}

/** The same of a stack, the full layer first. */
export async function checkStackFiles(
  folder: BackupFolder,
  layers: readonly Layer[],
  signal?: AbortSignal,
): Promise<void> {
  await inOrder(layers, (layer) => checkLayerFiles(folder, layer), signal);
}

/** The same of a layer, and the sums file as a whole, before anything in it is believed. */
export async function checkLayer(folder: BackupFolder, layer: Layer): Promise<LayerPlace> {
  const place = await checkLayerFiles(folder, layer);
  await checkSumsFile(place.sums, layer.disk.sums);
  return place;
}

/** Checks every layer of a stack, without looking at the data. */
export async function checkStack(
  folder: BackupFolder,
  layers: readonly Layer[],
  signal?: AbortSignal,
): Promise<void> {
  await inOrder(layers, (layer) => checkLayer(folder, layer), signal);
}

async function inOrder(
  layers: readonly Layer[],
  check: (layer: Layer) => Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const layer of layers) {
    throwIfAborted(signal);
    await check(layer);
  }
}

/** The layer's bytes by itself. */
export async function openLayer(folder: BackupFolder, layer: Layer): Promise<LayerData> {
  return LayerData.open((await placeOf(folder, layer)).files);
}

function isThere(path: string): Promise<boolean> {
  return onFile(path, 'looking', () =>
    lstat(path).then(
      () => true,
      (error: unknown) => {
        if (isMissing(error)) return false;
        throw error;
      },
    ),
  );
}
