/**
 * Big-endian fields of qcow2 structures. 64-bit values are bigint until they are checked, since a number would round
 * exactly those that must be refused.
 */

export function u16(bytes: Buffer, offset: number): number {
  return bytes.readUInt16BE(offset);
}

export function u32(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset);
}

export function u64(bytes: Buffer, offset: number): bigint {
  return bytes.readBigUInt64BE(offset);
}

/**
 * Bits 9 to 55 of a table entry, the host offset, as a number. Above 2^53 it is rounded, but stays far above the size of
 * any file, so that a check against that size still holds.
 */
export function hostOffset(high: number, low: number): number {
  return (high & 0x00ff_ffff) * 2 ** 32 + ((low & 0xffff_fe00) >>> 0);
}
