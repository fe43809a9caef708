/** Image files of this machine, through qemu-img: what they are, and growing, checking, renaming and removing them. */
import { rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { CbtError } from '../../../core/errors.js';
import { imageName } from '../../../host/imageName.js';
import { qemuImg } from '../../../host/imageTool.js';
import { requireRoomToWrite } from '../../../host/roomForBitmaps.js';
import { requireNoHolder, whileUnused } from '../../../host/unused.js';
import { moveToFreeName } from '../../../linux/freeName.js';
import { syncFolder } from '../../../linux/stable.js';
import { lstatOrNull } from '../../../linux/target.js';
import {
  VIX_E_FILE_ALREADY_EXISTS,
  VIX_E_FILE_NOT_FOUND,
  VIX_E_INCORRECT_FILE_TYPE,
  VIX_E_NOT_SUPPORTED,
} from '../constants/codes.js';
import * as v from '../constants/values.js';
import { VixFailure } from '../errors.js';
import { library } from '../library.js';
import { isMetadata, metadataFile } from './metadata.js';

const infoSchema = z.looseObject({
  format: z.string(),
  'virtual-size': z.number(),
  filename: z.string(),
  'full-backing-filename': z.string().optional(),
  'format-specific': z
    .looseObject({
      data: z.looseObject({
        'create-type': z.string().optional(),
        extents: z.array(z.looseObject({ filename: z.string() })).optional(),
        'data-file': z.string().optional(),
      }),
    })
    .optional(),
});

/** The layer's files: its own, and those that its data is in. */
function filesOf({ filename, 'format-specific': specific }: z.infer<typeof infoSchema>): string[] {
  const { extents = [], 'data-file': dataFile } = specific?.data ?? {};
  return [
    filename,
    ...extents.map((extent) => extent.filename),
    ...(dataFile === undefined ? [] : [dataFile]),
  ];
}

export interface ImageInfo {
  format: string;
  sizeBytes: number;
  links: number;
  /** Every file of every layer. */
  files: readonly string[];
  parent: string | null;
  /** All of its space is taken from the start. */
  flat: boolean;
}

/**
 * Formats by name. A file's bytes are never asked: the guest of a raw disk may write the header of an image into it, with any file of
 * the host as its backing file.
 */
const FORMATS: readonly (readonly [RegExp, string])[] = [
  [/-flat\.vmdk$/i, 'raw'],
  [/\.(raw|img|bin|dd)$/i, 'raw'],
  [/\.qcow2?$/i, 'qcow2'],
  [/\.vmdk$/i, 'vmdk'],
  [/\.vhdx$/i, 'vhdx'],
  [/\.vhd$/i, 'vpc'],
  [/\.vdi$/i, 'vdi'],
  [/\.hds$/i, 'parallels'],
];

function knownFormat(file: string): string | undefined {
  return library().toldFormat(file) ?? FORMATS.find(([name]) => name.test(file))?.[1];
}

export function formatOf(file: string): string {
  const told = knownFormat(file);
  if (told !== undefined) return told;
  throw new VixFailure(
    VIX_E_INCORRECT_FILE_TYPE,
    `the name of ${file} does not say what format it has; configureVixDiskLib({ formats }) can`,
  );
}

/** The image as qemu-img takes it: its files as they were read and checked, and no others. */
export async function nameOf(file: string): Promise<string> {
  return imageName(file, { format: formatOf(file) });
}

/** The format goes by the name unless it is given. */
export async function readImageInfo(file: string, given?: string): Promise<ImageInfo> {
  await stat(file);
  const told = given ?? formatOf(file);
  // Throws where the image names what is not to be opened.
  await imageName(file, { format: told });
  const named = ['-f', told];
  const text = await qemuImg([
    'info',
    '--output=json',
    '--force-share',
    '--backing-chain',
    ...named,
    '--',
    file,
  ]);
  const layers = z.array(infoSchema).min(1).parse(JSON.parse(text));
  const [top] = layers;
  if (top === undefined) throw new VixFailure(VIX_E_INCORRECT_FILE_TYPE, `${file} has no layer`);
  const { format, 'virtual-size': sizeBytes, 'full-backing-filename': parent = null } = top;
  const createType = top['format-specific']?.data['create-type'];
  const flat = format === 'raw' || /flat/i.test(createType ?? '');
  return { format, sizeBytes, links: layers.length, files: layers.flatMap(filesOf), parent, flat };
}

export async function growImage(file: string, sizeBytes: number): Promise<void> {
  const info = await readImageInfo(file);
  if (sizeBytes < info.sizeBytes)
    throw new VixFailure(
      VIX_E_NOT_SUPPORTED,
      `${file} has ${info.sizeBytes} bytes: it grows, and never shrinks`,
    );
  await requireNoHolder(file, 'write');
  if (info.format === 'qcow2') await requireRoomToWrite(file);
  await qemuImg(['resize', '-q', await nameOf(file), String(sizeBytes)]);
}

const measureSchema = z.looseObject({ required: z.number() });

const FLAT: readonly number[] = [
  v.VIXDISKLIB_DISK_MONOLITHIC_FLAT,
  v.VIXDISKLIB_DISK_SPLIT_FLAT,
  v.VIXDISKLIB_DISK_VMFS_FLAT,
];

/** Bytes that a copy of this type needs; VIXDISKLIB_DISK_UNKNOWN is the type that the image has itself. */
export async function spaceForClone(file: string, diskType: number): Promise<number> {
  const { sizeBytes, flat } = await readImageInfo(file);
  // What QEMU can measure is qcow2 and raw; a VMDK needs about as much as a qcow2.
  if (FLAT.includes(diskType) || (diskType === v.VIXDISKLIB_DISK_UNKNOWN && flat)) return sizeBytes;
  // It is open here, perhaps for writing; what is told is an estimate either way.
  const ask = ['measure', '--force-share', '--output=json', '-O', 'qcow2', await nameOf(file)];
  const text = await qemuImg(ask, { signal: library().signal });
  return measureSchema.parse(JSON.parse(text)).required;
}

/** What `qemu-img check` ends with when it has looked, and found errors, or nothing but leaks. */
const FOUND = [2, 3];

/** What is wrong with the image, after the repair where one was asked for; null where nothing is. */
export async function checkImage(file: string, repair: boolean): Promise<string | null> {
  const { format } = await readImageInfo(file);
  if (format === 'raw')
    throw new VixFailure(VIX_E_NOT_SUPPORTED, `${file} is raw: there is nothing to check`);
  if (repair) await requireNoHolder(file, 'write');
  if (repair && format === 'qcow2') await requireRoomToWrite(file);
  try {
    const { signal } = library();
    await qemuImg(['check', '-q', ...(repair ? ['-r', 'all'] : []), await nameOf(file)], { signal });
    return null;
  } catch (error) {
    if (error instanceof CbtError && FOUND.includes(Number(error.details['exitCode']))) return error.message;
    throw error;
  }
}

/** Removes the name, and its metadata; an image that anybody has open keeps it. What an earlier try left of the two is removed too. */
export async function unlinkImage(file: string): Promise<void> {
  const onlyMetadata =
    (await lstatOrNull(file)) === null && knownFormat(file) !== undefined && (await isMetadata(file));
  if (!onlyMetadata) {
    await readImageInfo(file);
    await whileUnused(file, () => rm(file));
  }
  await rm(metadataFile(file), { force: true });
}

/**
 * Neither an image nor metadata that has the new name already is replaced. The metadata goes first: until the image follows it can be
 * taken back.
 */
export async function renameImage(from: string, to: string): Promise<void> {
  await readImageInfo(from);
  await requireFree(to);
  const [old, new_] = [metadataFile(from), metadataFile(to)];
  const hasMetadata = (await lstatOrNull(old)) !== null;
  if (hasMetadata) await moveToFreeName(old, new_);
  try {
    await whileUnused(from, () => moveToFreeName(from, to));
  } catch (error) {
    if (hasMetadata) await moveToFreeName(new_, old).catch(() => undefined);
    throw error;
  }
  for (const folder of new Set([dirname(from), dirname(to)])) await syncFolder(folder);
}

/** Throws where an image, or the metadata of one, has the name: a new image would take it for its own. */
export async function requireFree(file: string): Promise<void> {
  await requireAbsent(file);
  await requireAbsent(metadataFile(file));
}

/** Throws where something has the name, a link that leads nowhere too. */
async function requireAbsent(file: string): Promise<void> {
  if ((await lstatOrNull(file)) !== null)
    throw new VixFailure(VIX_E_FILE_ALREADY_EXISTS, `${file} is there already`);
}

/** Throws where nothing is. */
export async function requireFile(file: string): Promise<void> {
  await stat(file).catch((cause: unknown) => {
    throw new VixFailure(VIX_E_FILE_NOT_FOUND, `${file} is not there`, { cause });
  });
}
