/**
 * A bitmap table: one 64-bit entry per cluster of bits, turned into what the kernel scans
 * (docs/interop/qcow2.txt, "Bitmap table"). Bits 9 to 55 are the cluster's offset; with none, bit 0 tells all ones.
 */
import { CLUSTER_ALL_CLEAN, CLUSTER_ALL_DIRTY } from '../../../core/bitmapKernel.js';
import { corrupt, type Fault, hex } from '../faults.js';
import { hostOffset, u32, u64 } from './fields.js';

/** Bits 1 to 8 and 56 to 63 must be zero, in the halves of an entry. */
const RESERVED_HIGH = 0xff00_0000;
const RESERVED_LOW = 0x0000_01fe;
const ALL_ONES = 1;

/** The entries in kernel form, or the first fault among them. O(entries). */
export function parseBitmapTable(
  bytes: Buffer,
  clusterBytes: number,
  fileBytes: number,
): Float64Array | Fault {
  const table = new Float64Array(bytes.length / 8);
  for (let i = 0; i < table.length; i++) {
    const high = u32(bytes, i * 8);
    const low = u32(bytes, i * 8 + 4);
    const field = `bitmap table entry ${i}`;
    if ((high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0) {
      return corrupt(field, hex(u64(bytes, i * 8)), 'zero in bits 1 to 8 and 56 to 63');
    }
    const offset = hostOffset(high, low);
    if (offset === 0) {
      table[i] = (low & ALL_ONES) === 0 ? CLUSTER_ALL_CLEAN : CLUSTER_ALL_DIRTY;
      continue;
    }
    if ((low & ALL_ONES) !== 0) return corrupt(field, hex(u64(bytes, i * 8)), 'an offset or bit 0, not both');
    if (offset % clusterBytes !== 0) return corrupt(field, offset, `a multiple of ${clusterBytes}`);
    if (offset + clusterBytes > fileBytes) {
      return corrupt(
        field,
        offset,
        `at most ${fileBytes - clusterBytes}, a cluster before the end of the file`,
      );
    }
    table[i] = offset;
  }
  return table;
}
