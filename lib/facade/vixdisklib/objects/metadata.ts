/**
 * Metadata of a disk: named texts, kept in a small file beside the image (`<image>.metadata.json`), because the formats that QEMU
 * writes have no place for them.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { lstatOrNull } from '../../../linux/target.js';
import { inTurn } from '../../../linux/turns.js';
import { writeWholeFile } from '../../../linux/wholeFile.js';
import { VIX_E_DISK_INVAL, VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT } from '../constants/codes.js';
import { VixFailure } from '../errors.js';

const schema = z.record(z.string(), z.string());

export type Metadata = Record<string, string>;

export async function readMetadata(image: string | null): Promise<Metadata> {
  const file = fileOf(image);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}';
    throw error;
  });
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new VixFailure(VIX_E_DISK_INVAL, `${file} is damaged`, { cause });
  }
}

/** Changes of one file follow each other. */
export async function writeMetadata(image: string | null, key: string, value: string): Promise<void> {
  const file = fileOf(image);
  await inTurn(file, () => change(image, file, key, value));
}

async function change(image: string | null, file: string, key: string, value: string): Promise<void> {
  const metadata = await readMetadata(image);
  Object.defineProperty(metadata, key, { value, enumerable: true, configurable: true, writable: true });
  await writeWholeFile(file, (to) => to.writeFile(`${JSON.stringify(metadata, null, 2)}\n`));
}

/** Whether what has the name of the image's metadata is some: others may have a file of that name. */
export async function isMetadata(image: string): Promise<boolean> {
  if ((await lstatOrNull(metadataFile(image)))?.isFile() !== true) return false;
  return readMetadata(image).then(
    () => true,
    (error: unknown) => {
      if (error instanceof VixFailure) return false;
      throw error;
    },
  );
}

export function metadataFile(image: string): string {
  return `${image}.metadata.json`;
}

function fileOf(image: string | null): string {
  if (image !== null) return metadataFile(image);
  throw new VixFailure(VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT, 'a disk of a snapshot has no metadata');
}
