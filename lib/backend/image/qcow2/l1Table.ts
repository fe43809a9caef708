/**
 * The active L1 table: the offset of every L2 table, checked entry by entry (docs/interop/qcow2.txt, "L1 table entry").
 * QEMU masks reserved bits when it reads; here they are a sign of damage.
 */
import { corrupt, faultError, hex } from '../faults.js';
import { hostOffset, u32, u64 } from './fields.js';

/** Bits 0 to 8 and 56 to 62; bit 63 tells that the L2 table's refcount is one. */
const RESERVED_HIGH = 0x7f00_0000;
const RESERVED_LOW = 0x0000_01ff;

/** Offset of each L2 table in bytes, 0 for none; every one is a whole cluster inside the file. O(entries). */
export function parseL1Table(
  where: string,
  bytes: Buffer,
  clusterBytes: number,
  fileBytes: number,
): Float64Array {
  const table = new Float64Array(bytes.length / 8);
  for (let i = 0; i < table.length; i++) {
    const high = u32(bytes, i * 8);
    const low = u32(bytes, i * 8 + 4);
    const offset = hostOffset(high, low);
    const reserved = (high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0;
    if (reserved) {
      const fault = corrupt(
        `L1 table entry ${i}`,
        hex(u64(bytes, i * 8)),
        'zero in bits 0 to 8 and 56 to 62',
      );
      throw faultError(where, fault);
    }
    if (offset % clusterBytes !== 0) {
      throw faultError(where, corrupt(`L1 table entry ${i}`, offset, `a multiple of ${clusterBytes}`));
    }
    if (offset !== 0 && offset + clusterBytes > fileBytes) {
      const limit = `at most ${fileBytes - clusterBytes}, a cluster before the end of the file`;
      throw faultError(where, corrupt(`L1 table entry ${i}`, offset, limit));
    }
    table[i] = offset;
  }
  return table;
}
