/** Tables as disks have them, and as a hostile guest writes them: told, or nothing, and never more than the disk. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findPartitions } from '../../../lib/backup/partitions.js';
import '../../helpers/seed.js';

const MIB = 1 << 20;

function findIn(disk: Buffer) {
  return findPartitions(
    async (offset, length) => Buffer.from(disk.subarray(offset, offset + length)),
    disk.length,
  );
}

function entry(sector: Buffer, index: number, type: number, first: number, count: number): void {
  const at = 446 + 16 * index;
  sector[at + 4] = type;
  sector.writeUInt32LE(first, at + 8);
  sector.writeUInt32LE(count, at + 12);
  sector.writeUInt16LE(0xaa55, 510);
}

test('an MBR with logical partitions', async () => {
  const disk = Buffer.alloc(8 * MIB);
  entry(disk, 0, 0x83, 2048, 2048);
  entry(disk, 1, 0x05, 4096, 8192);
  // Logical ones: first from their own table, the next table from the extended partition.
  entry(disk.subarray(4096 * 512), 0, 0x83, 16, 1000);
  entry(disk.subarray(4096 * 512), 1, 0x05, 4096, 2048);
  entry(disk.subarray(8192 * 512), 0, 0x82, 16, 500);
  disk.write('\x53\xef', MIB + 1080, 'latin1');
  disk.write('SWAPSPACE2', 8208 * 512 + 4086, 'latin1');
  expect(await findIn(disk)).toEqual([
    { number: 1, offset: MIB, length: MIB, kind: 'ext4' },
    { number: 5, offset: (4096 + 16) * 512, length: 512_000, kind: null },
    { number: 6, offset: (8192 + 16) * 512, length: 256_000, kind: 'swap' },
  ]);
});

test('several extended partitions that lead in a circle are counted together', async () => {
  const disk = Buffer.alloc(64 * 512);
  entry(disk, 0, 0x83, 1, 1);
  for (const index of [1, 2, 3]) entry(disk, index, 0x05, 0, 8);
  const numbers = (await findIn(disk)).map(({ number }) => number);
  expect(numbers).toEqual([1, ...Array.from({ length: 124 }, (_, i) => 5 + i)]);
});

test('two extended partitions: the logical ones of the second go on from the first’s', async () => {
  const disk = Buffer.alloc(4 * MIB);
  for (const [index, first] of [2048, 4096].entries()) {
    entry(disk, index, 0x05, first, 1024);
    entry(disk.subarray(first * 512), 0, 0x83, 16, 100);
  }
  expect((await findIn(disk)).map(({ number, offset }) => [number, offset / 512])).toEqual([
    [5, 2064],
    [6, 4112],
  ]);
});

test('a GPT, of either sector size, goes before the MBR that protects it', async () => {
  for (const sector of [512, 4096]) {
    const disk = Buffer.alloc(4 * MIB);
    entry(disk, 0, 0xee, 1, 8191);
    disk.write('EFI PART', sector, 'latin1');
    disk.writeBigUInt64LE(2n, sector + 72);
    disk.writeUInt32LE(4, sector + 80);
    disk.writeUInt32LE(128, sector + 84);
    const second = 2 * sector + 128;
    disk.fill(7, second, second + 16);
    disk.writeBigUInt64LE(BigInt(MIB / sector), second + 32);
    disk.writeBigUInt64LE(BigInt((2 * MIB) / sector - 1), second + 40);
    disk.write('XFSB', MIB, 'latin1');
    expect(await findIn(disk)).toEqual([{ number: 2, offset: MIB, length: MIB, kind: 'xfs' }]);
  }
});

test('a disk without a table is one file system, or nothing to mount', async () => {
  const disk = Buffer.alloc(MIB);
  expect(await findIn(disk)).toEqual([]);
  disk.write('XFSB', 0, 'latin1');
  expect(await findIn(disk)).toEqual([{ number: 0, offset: 0, length: MIB, kind: 'xfs' }]);
});

test('whatever a guest writes there, what is told lies within the disk and is bounded', async () => {
  const word = fc.oneof(fc.integer({ min: 0, max: 64 }), fc.nat(0xffffffff));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(255), word, word), { maxLength: 4 }),
      fc.boolean(),
      word,
      word,
      async (entries, gpt, a, b) => {
        const disk = Buffer.alloc(64 * 512);
        for (const [index, [type, first, count]] of entries.entries()) entry(disk, index, type, first, count);
        if (gpt) {
          disk.write('EFI PART', 512, 'latin1');
          disk.writeUInt32LE(a, 512 + 72);
          disk.writeUInt32LE(b, 512 + 80);
          disk.writeUInt32LE(128, 512 + 84);
        }
        const found = await findIn(disk);
        expect(found.length).toBeLessThanOrEqual(128);
        for (const { offset, length } of found) {
          expect(offset).toBeGreaterThanOrEqual(0);
          expect(offset + length).toBeLessThanOrEqual(disk.length);
        }
      },
    ),
  );
});
