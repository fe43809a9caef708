/**
 * Incompatible feature bits: the ones known here, and the names that an image carries for those that are not
 * (docs/interop/qcow2.txt, "Feature name table"). An image with an unknown bit cannot be read at all.
 */
import { CbtError } from '../../../core/errors.js';
import { corrupt, faultError, hex } from '../faults.js';

const DIRTY = 1n << 0n;
const CORRUPT = 1n << 1n;
/** Bits 0 to 4: dirty, corrupt, external data file, compression type, extended L2 entries. */
const KNOWN = 0x1fn;

const ENTRY_BYTES = 48;
const TYPE_INCOMPATIBLE = 0;

/** Bit number to name, of incompatible features; 46 bytes of text at most, padded with NUL. */
export function parseFeatureNames(table: Buffer): Map<number, string> {
  const names = new Map<number, string>();
  for (let at = 0; at + ENTRY_BYTES <= table.length; at += ENTRY_BYTES) {
    if (table.readUInt8(at) !== TYPE_INCOMPATIBLE) continue;
    const text = table.subarray(at + 2, at + ENTRY_BYTES);
    const end = text.indexOf(0);
    names.set(table.readUInt8(at + 1), text.toString('utf8', 0, end < 0 ? text.length : end));
  }
  return names;
}

/** Refuses unknown bits, naming each, and images that QEMU has marked corrupt. */
export function checkIncompatibleFeatures(
  where: string,
  bits: bigint,
  names: ReadonlyMap<number, string>,
): void {
  const unknown = bits & ~KNOWN;
  if (unknown !== 0n) {
    const shown = bitNumbers(unknown).map((bit) => {
      const name = names.get(bit);
      return name === undefined ? `bit ${bit}` : `bit ${bit} (${JSON.stringify(name)})`;
    });
    throw new CbtError('ERR_CBT_UNSUPPORTED', `${where}: unknown incompatible feature ${shown.join(', ')}`, {
      details: { field: 'incompatible_features', value: hex(bits), limit: hex(KNOWN) },
    });
  }
  if ((bits & CORRUPT) !== 0n) {
    const limit = 'without bit 1: QEMU has marked the image corrupt, run qemu-img check';
    throw faultError(where, corrupt('incompatible_features', hex(bits), limit));
  }
}

/** Reference counts are stale (lazy refcounts after a crash); neither bitmaps nor allocation depend on them. */
export function isDirty(bits: bigint): boolean {
  return (bits & DIRTY) !== 0n;
}

function bitNumbers(bits: bigint): number[] {
  return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => ((bits >> BigInt(bit)) & 1n) !== 0n);
}
