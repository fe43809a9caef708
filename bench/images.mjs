// Images for the benches: valid qcow2 files whose one persistent bitmap has exactly the bits a case asks for. Writing them
// through a guest would take hours at these sizes; QEMU itself reads them in the same run, so a wrong one would show.
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const CLUSTER = 65_536;
const BITMAPS_EXTENSION = 0x23852875;

export const EPOCH = '11111111-2222-4333-8444-555555555555';
export const PIT = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';

export const bitmapName = (sizeBytes) => `cbt1.${EPOCH}.1.${sizeBytes}.${PIT}`;

/**
 * @param {string} path
 * @param {number} sizeBytes virtual size
 * @param {Uint8Array} bits one bit per 64 KiB, least significant first
 */
export function makeImage(path, sizeBytes, bits) {
  const name = Buffer.from(bitmapName(sizeBytes));
  const l1Entries = Math.ceil(sizeBytes / (CLUSTER * (CLUSTER / 8)));
  const l1Clusters = Math.ceil((l1Entries * 8) / CLUSTER);
  const tableEntries = Math.ceil(bits.length / CLUSTER);
  const tableClusters = Math.ceil((tableEntries * 8) / CLUSTER);
  // header | refcount table | refcount block | L1 | bitmap directory | bitmap table | bits
  const l1At = 3 * CLUSTER;
  const directoryAt = l1At + l1Clusters * CLUSTER;
  const tableAt = directoryAt + CLUSTER;
  const bitsAt = tableAt + tableClusters * CLUSTER;

  const entryBytes = Math.ceil((24 + name.length) / 8) * 8;
  const header = Buffer.alloc(CLUSTER);
  header.write('QFI\xfb', 0, 'latin1');
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(BigInt(sizeBytes), 24);
  header.writeUInt32BE(l1Entries, 36);
  header.writeBigUInt64BE(BigInt(l1At), 40);
  header.writeBigUInt64BE(BigInt(CLUSTER), 48);
  header.writeUInt32BE(1, 56);
  header.writeBigUInt64BE(1n, 88); // autoclear bit 0: the bitmaps are valid
  header.writeUInt32BE(4, 96);
  header.writeUInt32BE(104, 100);
  header.writeUInt32BE(BITMAPS_EXTENSION, 104);
  header.writeUInt32BE(24, 108);
  header.writeUInt32BE(1, 112);
  header.writeBigUInt64BE(BigInt(entryBytes), 120);
  header.writeBigUInt64BE(BigInt(directoryAt), 128);

  const directory = Buffer.alloc(CLUSTER);
  directory.writeBigUInt64BE(BigInt(tableAt), 0);
  directory.writeUInt32BE(tableEntries, 8);
  directory.writeUInt32BE(2, 12); // auto: records when opened for writing
  directory.writeUInt8(1, 16);
  directory.writeUInt8(16, 17);
  directory.writeUInt16BE(name.length, 18);
  name.copy(directory, 24);

  const table = Buffer.alloc(tableClusters * CLUSTER);
  const fd = openSync(path, 'w');
  try {
    let at = bitsAt;
    for (let i = 0; i < tableEntries; i += 1) {
      const chunk = bits.subarray(i * CLUSTER, (i + 1) * CLUSTER);
      if (!chunk.some((byte) => byte !== 0)) continue;
      table.writeBigUInt64BE(BigInt(at), 8 * i);
      writeSync(fd, chunk, 0, chunk.length, at);
      at += CLUSTER;
    }
    writeSync(fd, header, 0, header.length, 0);
    writeSync(fd, directory, 0, directory.length, directoryAt);
    writeSync(fd, table, 0, table.length, tableAt);
    ftruncateSync(fd, at);
  } finally {
    closeSync(fd);
  }
}

/** A small fixed generator, so that every run measures the same bits. */
function* randoms(seed) {
  let x = seed;
  for (;;) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    yield (x >>> 0) / 2 ** 32;
  }
}

/** About `share` of the bits dirty, in runs of 1 to 2 * mean - 1. */
export function bitsInRuns(bitCount, share, mean) {
  const bits = new Uint8Array(Math.ceil(bitCount / 8));
  const random = randoms(20161120);
  const next = () => random.next().value;
  const meanGap = mean * (1 / share - 1);
  let at = 0;
  while (at < bitCount) {
    at += 1 + Math.floor(next() * 2 * meanGap);
    for (let left = 1 + Math.floor(next() * (2 * mean - 1)); left > 0 && at < bitCount; left -= 1, at += 1) {
      bits[at >> 3] |= 1 << (at & 7);
    }
  }
  return bits;
}

export const bitsAlternating = (bitCount) => new Uint8Array(Math.ceil(bitCount / 8)).fill(0x55);

export function bitsAtRandom(bitCount, share) {
  const bits = new Uint8Array(Math.ceil(bitCount / 8));
  const random = randoms(7);
  for (let at = 0; at < bitCount; at += 1) if (random.next().value < share) bits[at >> 3] |= 1 << (at & 7);
  return bits;
}
