/**
 * Header extensions: a list of type, length, data, padded to 8 bytes, between the end of the header and the backing
 * file's name or the end of the first cluster. Nothing may reach past that; unknown types are skipped, as the format asks.
 */
import { corrupt, faultError, hex } from '../faults.js';
import { u32, u64 } from './fields.js';
import type { Qcow2Header } from './header.js';

const END = 0;
const BACKING_FORMAT = 0xe2792aca;
const FEATURE_NAMES = 0x6803f857;
const CRYPTO_HEADER = 0x0537be77;
const BITMAPS = 0x23852875;
const EXTERNAL_DATA_FILE = 0x44415441;

const NAMES: ReadonlyMap<number, string> = new Map([
  [BACKING_FORMAT, 'backing format'],
  [FEATURE_NAMES, 'feature name table'],
  [CRYPTO_HEADER, 'full disk encryption header'],
  [BITMAPS, 'bitmaps'],
  [EXTERNAL_DATA_FILE, 'external data file name'],
]);

/** QEMU's buffer for a format name holds 15 bytes. */
const MAX_FORMAT_BYTES = 15;
const CRYPTO_HEADER_BYTES = 16;

/** The data of each extension that is known here; absent where the image has none. */
export interface Extensions {
  backingFormat?: string;
  featureNames?: Buffer;
  bitmaps?: Buffer;
  /** Name of the file that has the guest's data, as stored. */
  dataFile?: Buffer;
}

/** `head` is the first cluster of the file, or all of a shorter file. */
export function parseExtensions(where: string, head: Buffer, header: Qcow2Header): Extensions {
  const found = new Map<number, Buffer>();
  const { startBytes, endBytes } = header.extensions;
  let at = startBytes;
  while (at < endBytes) {
    if (at + 8 > Math.min(endBytes, head.length)) {
      throw faultError(
        where,
        corrupt('header extension', `at ${at}`, `8 bytes or more before ${Math.min(endBytes, head.length)}`),
      );
    }
    const type = u32(head, at);
    const length = u32(head, at + 4);
    at += 8;
    if (type === END) break;
    const name = NAMES.get(type) ?? hex(type);
    const room = Math.min(endBytes, head.length) - at;
    if (length > room) {
      throw faultError(where, corrupt(`length of header extension ${name}`, length, `at most ${room}`));
    }
    if (NAMES.has(type)) {
      if (found.has(type))
        throw faultError(where, corrupt(`header extension ${name}`, 'there twice', 'there once'));
      found.set(type, head.subarray(at, at + length));
    }
    at += Math.ceil(length / 8) * 8;
  }
  checkEncryptionHeader(where, found.get(CRYPTO_HEADER), header);
  return collect(where, found);
}

function collect(where: string, found: ReadonlyMap<number, Buffer>): Extensions {
  const format = found.get(BACKING_FORMAT);
  const featureNames = found.get(FEATURE_NAMES);
  const bitmaps = found.get(BITMAPS);
  const dataFile = found.get(EXTERNAL_DATA_FILE);
  if (format !== undefined && format.length > MAX_FORMAT_BYTES) {
    const fault = corrupt(
      'length of header extension backing format',
      format.length,
      `at most ${MAX_FORMAT_BYTES}`,
    );
    throw faultError(where, fault);
  }
  return {
    ...(format === undefined ? {} : { backingFormat: format.toString('latin1') }),
    ...(featureNames === undefined ? {} : { featureNames }),
    ...(bitmaps === undefined ? {} : { bitmaps }),
    ...(dataFile === undefined ? {} : { dataFile }),
  };
}

/** Keys are none of our business; a pointer that QEMU would refuse says that the header is damaged. */
function checkEncryptionHeader(where: string, data: Buffer | undefined, header: Qcow2Header): void {
  if (data === undefined) return;
  const name = 'header extension full disk encryption header';
  if (header.encryption !== 'luks') {
    throw faultError(where, corrupt(name, 'there', `absent, as crypt_method is ${header.encryption}`));
  }
  if (data.length !== CRYPTO_HEADER_BYTES) {
    throw faultError(where, corrupt(`length of ${name}`, data.length, CRYPTO_HEADER_BYTES));
  }
  const offset = u64(data, 0);
  if (offset % BigInt(header.clusterBytes) !== 0n) {
    throw faultError(where, corrupt(`offset in ${name}`, offset, `a multiple of ${header.clusterBytes}`));
  }
}
