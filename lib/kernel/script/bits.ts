/**
 * Bits in bytes: bit n is in byte n >> 3, mask 1 << (n & 7). Setting stretches, finding where the level changes, and
 * folding fine bits into coarse ones.
 */
import type { LevelSink } from './levels.js';

/** Sets bits [first, end). Indices may pass 2^32. */
export function setBits(bytes: Uint8Array, first: number, end: number): void {
  if (first >= end) return;
  const firstByte = Math.floor(first / 8);
  const lastByte = Math.floor((end - 1) / 8);
  const head = 0xff << (first % 8);
  const tail = 0xff >> (7 - ((end - 1) % 8));
  if (firstByte === lastByte) {
    orByte(bytes, firstByte, head & tail);
    return;
  }
  orByte(bytes, firstByte, head);
  bytes.fill(0xff, firstByte + 1, lastByte);
  orByte(bytes, lastByte, tail);
}

function orByte(bytes: Uint8Array, index: number, mask: number): void {
  bytes[index] = (bytes[index] ?? 0) | mask;
}

/**
 * Tells the sink the level of bits [first, end), of which bit n covers disk bytes from `offsetBytes + n * bitBytes` on.
 * False when the sink wants no more. Uniform bytes are passed over, the others taken bit by bit.
 */
export function levelsOfBits(
  bytes: Uint8Array,
  first: number,
  end: number,
  offsetBytes: number,
  bitBytes: number,
  sink: LevelSink,
): boolean {
  let last: number | undefined;
  for (let bit = first; bit < end; ) {
    const byte = bytes[bit >>> 3] ?? 0;
    const value = (byte >> (bit & 7)) & 1;
    if (value !== last && !sink.level(offsetBytes + bit * bitBytes, value === 1)) return false;
    last = value;
    const uniform = (bit & 7) === 0 && (byte === 0 || byte === 0xff);
    bit = uniform ? endOfUniform(bytes, bit >>> 3, byte, Math.ceil(end / 8)) * 8 : bit + 1;
  }
  return true;
}

/** First byte from `index` on, below `end`, that differs from `byte`. */
function endOfUniform(bytes: Uint8Array, index: number, byte: number, end: number): number {
  let at = index + 1;
  while (at < end && bytes[at] === byte) at += 1;
  return at;
}

/**
 * ORs fine bits into coarse ones, `fold` fine bits (a power of two) to a coarse bit. Byte 0 of `fine` holds fine bits
 * from `firstFineBit` on; bit 0 of `coarse` is coarse bit `firstCoarseBit`.
 */
export function foldBits(
  fine: Uint8Array,
  firstFineBit: number,
  fold: number,
  coarse: Uint8Array,
  firstCoarseBit: number,
): void {
  if (fold === 1) {
    const shift = (firstFineBit - firstCoarseBit) / 8;
    for (let i = 0; i < fine.length; i += 1) orByte(coarse, i + shift, fine[i] ?? 0);
    return;
  }
  for (let i = 0; i < fine.length; ) {
    const byte = fine[i] ?? 0;
    const fineBit = firstFineBit + i * 8;
    i += 1;
    if (byte === 0) continue;
    if (fold < 8) {
      for (let bit = 0; bit < 8; bit += 1) {
        if ((byte >> bit) & 1) setBit(coarse, Math.floor((fineBit + bit) / fold) - firstCoarseBit);
      }
    } else {
      const coarseBit = Math.floor(fineBit / fold);
      setBit(coarse, coarseBit - firstCoarseBit);
      // The rest of this coarse bit can add nothing.
      i = Math.max(i, ((coarseBit + 1) * fold - firstFineBit) / 8);
    }
  }
}

function setBit(bytes: Uint8Array, bit: number): void {
  orByte(bytes, bit >>> 3, 1 << (bit & 7));
}
