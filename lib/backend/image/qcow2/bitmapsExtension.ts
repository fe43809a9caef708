/**
 * The bitmaps extension: where the directory of persistent bitmaps is, and whether it may be believed. The autoclear bit
 * is the belief: every program that writes to the image without knowing bitmaps clears it
 * (docs/interop/qcow2.txt, "Bitmaps extension").
 */
import { corrupt, faultError, hex } from '../faults.js';
import { u32, u64 } from './fields.js';
import type { Qcow2Header } from './header.js';

const EXTENSION_BYTES = 24;
const MAX_BITMAPS = 65535;
/** QEMU's cap: 1024 bytes for each of the most bitmaps. */
const MAX_DIRECTORY_BYTES = 1024 * MAX_BITMAPS;

const AUTOCLEAR_BITMAPS = 1n << 0n;

export interface BitmapDirectoryPlace {
  bitmapCount: number;
  offsetBytes: number;
  lengthBytes: number;
}

/** Null when every program that wrote to the image kept the bitmaps up; otherwise what is wrong, for all of them. */
export function findVoidedBitmaps(header: Qcow2Header): string | null {
  if ((header.autoclear & AUTOCLEAR_BITMAPS) !== 0n) return null;
  return `autoclear_features is ${hex(header.autoclear)}, must have bit 0 set: a program without bitmap support wrote to the image, so none of its bitmaps is complete`;
}

/** QEMU refuses any other length, even where the bitmaps are void. */
export function checkExtensionLength(where: string, data: Buffer): void {
  if (data.length === EXTENSION_BYTES) return;
  throw faultError(where, corrupt('length of header extension bitmaps', data.length, EXTENSION_BYTES));
}

export function parseBitmapsExtension(
  where: string,
  data: Buffer,
  header: Qcow2Header,
  fileBytes: number,
): BitmapDirectoryPlace {
  const refuse = (field: string, value: number | bigint, limit: string | number): never => {
    throw faultError(where, corrupt(field, value, limit));
  };
  checkExtensionLength(where, data);
  const bitmapCount = u32(data, 0);
  const length = u64(data, 8);
  const offset = u64(data, 16);
  if (bitmapCount < 1 || bitmapCount > MAX_BITMAPS) refuse('nb_bitmaps', bitmapCount, `1 to ${MAX_BITMAPS}`);
  if (u32(data, 4) !== 0) refuse('reserved field of header extension bitmaps', u32(data, 4), 0);
  if (length < 1n || length > BigInt(MAX_DIRECTORY_BYTES)) {
    refuse('bitmap_directory_size', length, `1 to ${MAX_DIRECTORY_BYTES}`);
  }
  if (offset < 1n || offset % BigInt(header.clusterBytes) !== 0n) {
    refuse('bitmap_directory_offset', offset, `a positive multiple of ${header.clusterBytes}`);
  }
  if (offset + length > BigInt(fileBytes)) {
    refuse('end of the bitmap directory', offset + length, `at most ${fileBytes}, the size of the file`);
  }
  return { bitmapCount, offsetBytes: Number(offset), lengthBytes: Number(length) };
}
