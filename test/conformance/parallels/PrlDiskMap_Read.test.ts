import { describe, expect, test } from 'vitest';
import { bitsOf, KIB64, makeImage, mapOf, open, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlDiskMap_Read', () => {
  test('every line of the rules for buffer and capacity', async () => {
    const { file, pits } = await makeImage(
      [
        [
          [0, 512],
          [9 * KIB64, 512],
          [20 * KIB64, 512],
        ],
      ],
      21 * KIB64,
    );
    const map = await mapOf(await open(file), pits[0]!);
    expect(prl.PrlDiskMap_Read(map, Buffer.alloc(9), null)).toBe(prl.PRL_ERR_INVALID_ARG);
    const capacity = ref(77);
    expect(prl.PrlDiskMap_Read(map, null, capacity)).toBe(0);
    expect(capacity.value).toBe(3);
    const buffer = Buffer.alloc(5, 0xee);
    for (const short of [0, 2]) {
      capacity.value = short;
      expect(prl.PrlDiskMap_Read(map, buffer, capacity)).toBe(prl.PRL_ERR_BUFFER_OVERRUN);
      expect(capacity.value).toBe(3);
      expect([...buffer]).toEqual([0xee, 0xee, 0xee, 0xee, 0xee]);
    }
    capacity.value = 5;
    for (let again = 0; again < 2; again += 1) {
      expect(prl.PrlDiskMap_Read(map, buffer, capacity)).toBe(0);
      expect(capacity.value).toBe(3);
      expect([...buffer]).toEqual([0x01, 0x02, 0x10, 0xee, 0xee]);
    }
    expect(prl.PrlDiskMap_Read(1, buffer, capacity)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
  test('bit by bit, as an independent reader sees it', async () => {
    const set = [0, 1, 7, 8, 15, 16, 31, 32, 33, 62, 63];
    const { file, pits } = await makeImage([set.map((n) => [n * KIB64 + 512, 512] as const)]);
    const map = await mapOf(await open(file), pits[0]!);
    expect(bitsOf(map)).toEqual(set);
    const capacity = ref(8);
    const buffer = Buffer.alloc(8);
    prl.PrlDiskMap_Read(map, buffer, capacity);
    // The C helpers: word n >> 5, bit n & 31, little-endian words.
    const words = (n: number): boolean => (buffer.readUInt32LE((n >> 5) * 4) & (1 << (n & 31))) !== 0;
    for (let n = 0; n < 64; n += 1) expect([n, words(n)]).toEqual([n, set.includes(n)]);
  });
  test('any typed array is a buffer, at its own offset; one that is shorter than it is said to be is refused', async () => {
    const { file, pits } = await makeImage([[[KIB64, 512]]]);
    const map = await mapOf(await open(file), pits[0]!);
    const memory = new ArrayBuffer(24);
    expect(prl.PrlDiskMap_Read(map, new Uint32Array(memory, 8, 2), ref(8))).toBe(0);
    expect([...new Uint8Array(memory)]).toEqual(Array.from({ length: 24 }, (_, n) => (n === 8 ? 2 : 0)));
    for (const wrong of [Buffer.alloc(7), 'text', {}, memory])
      expect(prl.PrlDiskMap_Read(map, wrong as Buffer, ref(8))).toBe(prl.PRL_ERR_INVALID_ARG);
    const gone = new Uint8Array(memory, 8, 8);
    structuredClone(memory, { transfer: [memory] });
    expect(prl.PrlDiskMap_Read(map, gone, ref(8))).toBe(prl.PRL_ERR_INVALID_ARG);
  });
  test('the old habit of a buffer rounded down fails in the open', async () => {
    const { file, pits } = await makeImage([[[8 * KIB64, 512]]], 8 * KIB64 + 512);
    const map = await mapOf(await open(file), pits[0]!);
    const roundedDown = Math.floor((8 * KIB64 + 512) / KIB64) / 8;
    const capacity = ref(roundedDown);
    expect(prl.PrlDiskMap_Read(map, Buffer.alloc(roundedDown), capacity)).toBe(prl.PRL_ERR_BUFFER_OVERRUN);
    expect(capacity.value).toBe(2);
  });
});
