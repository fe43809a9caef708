/** L2 entries of every kind, sound and broken, against their meaning written out word by word. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { windowOf } from '../../helpers/bitmapArbitraries.js';
import { COMPRESSED, COPIED, type TableSpec, writeTables, ZERO } from '../../helpers/clusterTables.js';
import { kernels } from '../../helpers/kernels.js';
import { allPages, Shadow } from '../../helpers/shadow.js';
import { ScratchFile } from '../../helpers/storedBits.js';

let file: ScratchFile;
beforeAll(async () => {
  file = await ScratchFile.make();
});
afterAll(() => file.remove());

const FILE_BYTES = 1n << 30n;
const bits = (word: bigint, first: bigint, last: bigint): bigint =>
  (word >> first) & ((1n << (last - first + 1n)) - 1n);

interface Shape {
  clusterBits: number;
  extendedL2: boolean;
  version: 2 | 3;
  externalData: boolean;
}

type Meaning = 'data' | 'zeros' | 'none';

/** What each of 32 parts of a cluster is, or 'broken': docs/interop/qcow2.txt, sentence by sentence. */
function meaningOf(shape: Shape, word: bigint, second: bigint, guest: bigint): Meaning[] | 'broken' {
  const whole = (meaning: Meaning): Meaning[] => new Array(32).fill(meaning);
  const { clusterBits, extendedL2, version, externalData } = shape;
  const compressed = bits(word, 62n, 62n) === 1n;
  if (compressed) {
    // "external data file: compressed clusters cannot be used"; "Bit 0 - 63: Reserved (set to 0)"
    return externalData || (extendedL2 && second !== 0n) ? 'broken' : whole('data');
  }
  const copied = bits(word, 63n, 63n) === 1n;
  const zero = bits(word, 0n, 0n) === 1n;
  const host = bits(word, 9n, 55n) << 9n;
  if (bits(word, 1n, 8n) !== 0n || bits(word, 56n, 61n) !== 0n) return 'broken';
  if (zero && (version === 2 || extendedL2)) return 'broken';
  if (host % (1n << BigInt(clusterBits)) !== 0n) return 'broken';
  const allocated = host !== 0n || (externalData && copied && !zero);
  if (allocated && externalData && host !== guest) return 'broken';
  if (allocated && !externalData && host >= FILE_BYTES) return 'broken';
  if (!extendedL2) return whole(zero ? 'zeros' : allocated ? 'data' : 'none');
  const parts: Meaning[] = [];
  for (let n = 0n; n < 32n; n += 1n) {
    const isData = bits(second, n, n) === 1n;
    const isZeros = bits(second, n + 32n, n + 32n) === 1n;
    if (isData && (isZeros || !allocated)) return 'broken';
    parts.push(isData ? 'data' : isZeros ? 'zeros' : 'none');
  }
  return parts;
}

const shapes: Shape[] = [
  { clusterBits: 9, extendedL2: false, version: 3, externalData: false },
  { clusterBits: 9, extendedL2: false, version: 2, externalData: false },
  { clusterBits: 12, extendedL2: false, version: 3, externalData: true },
  { clusterBits: 14, extendedL2: true, version: 3, externalData: false },
  { clusterBits: 14, extendedL2: true, version: 3, externalData: true },
];

/** Sound entries, so that scans get far. */
function soundWord({
  clusterBits,
  extendedL2,
  version,
  externalData,
}: Shape): fc.Arbitrary<(guest: bigint) => bigint> {
  const zero = version === 3 && !extendedL2 ? [ZERO] : [];
  const kinds = [
    0n,
    COPIED | (5n << BigInt(clusterBits)),
    7n << 21n,
    ...(externalData ? [] : [COMPRESSED | 0x1234n]),
    ...zero,
  ];
  return fc.constantFrom(...kinds).map((kind) => (guest) => {
    if (!externalData || kind === 0n || kind === ZERO) return kind;
    return COPIED | guest;
  });
}

/** Any word, mostly with few bits set: each flag, border and reserved bit comes up. */
const wildWord = fc
  .uniqueArray(fc.constantFrom<bigint[]>(0n, 1n, 8n, 9n, 13n, 14n, 20n, 29n, 30n, 55n, 56n, 61n, 62n, 63n), {
    maxLength: 3,
  })
  .map((set) => set.reduce((word, bit) => word | (1n << bit), 0n));
const secondWord = fc.oneof(
  fc.constantFrom(0n, 0xffffffffn, 0xffffffffn << 32n, 0xffff0000ffffn, 1n, 1n << 31n, 1n << 32n, 1n << 63n),
  fc
    .tuple(fc.bigInt(0n, 0xffffffffn), fc.bigInt(0n, 0xffffffffn))
    .map(([stored, other]) => stored | ((other & ~stored) << 32n)),
);

const tableOf = (shape: Shape, wild: boolean) =>
  fc
    .array(
      fc.record({
        sound: soundWord(shape),
        wild: wild ? fc.option(wildWord, { freq: 12 }) : fc.constant(null),
        second: shape.extendedL2 ? secondWord : fc.constant(0n),
        wildSecond:
          wild && shape.extendedL2
            ? fc.option(fc.bigInt(0n, 2n ** 64n - 1n), { freq: 20 })
            : fc.constant(null),
      }),
      { minLength: 1, maxLength: shape.extendedL2 ? 24 : 150 },
    )
    .chain((drawn) => {
      const words = drawn.map((one, i): [bigint, bigint] => {
        const guest = BigInt(i) << BigInt(shape.clusterBits);
        const word = one.wild ?? one.sound(guest);
        const host = bits(word, 9n, 55n) !== 0n || (shape.externalData && (word & COPIED) !== 0n);
        // Data needs a host cluster, and a compressed cluster has no second word.
        const second = (word & COMPRESSED) !== 0n ? 0n : host ? one.second : (one.second >> 32n) << 32n;
        return [word, one.wildSecond ?? second];
      });
      return fc.tuple(fc.constant(words), windowOf(words.length * 2 ** shape.clusterBits));
    });

describe.each(kernels)('$label: clusters', ({ kernel }) => {
  describe.each(shapes)('%j', (shape) => {
    const { clusterBits, extendedL2 } = shape;
    const clusterBytes = 2 ** clusterBits;

    it.each([
      ['sound', false, 60],
      ['wild', true, 120],
    ] as const)('%s entries mean what the format says', async (_, wild, numRuns) => {
      const property = fc.asyncProperty(
        tableOf(shape, wild),
        fc.constantFrom('data', 'allocated'),
        async ([words, window], wanted) => {
          const entries = extendedL2 ? words : words.map(([word]) => word);
          const spec: TableSpec = { ...shape, entries, fileBytes: Number(FILE_BYTES) };
          const tables = await writeTables(file, spec);
          const shadow = new Shadow(words.length * clusterBytes);
          let broken = -1;
          for (const [i, [word, second]] of words.entries()) {
            const start = i * clusterBytes;
            const seen =
              start < window.endBytes &&
              start + clusterBytes > window.startBytes &&
              window.startBytes < window.endBytes;
            const meaning = meaningOf(shape, word, second, BigInt(start));
            if (meaning === 'broken') {
              if (seen && broken < 0) broken = i;
              continue;
            }
            for (const [part, what] of meaning.entries()) {
              const at = start + (part * clusterBytes) / 32;
              if (what === 'data' || (what === 'zeros' && wanted === 'allocated'))
                shadow.add(at, at + clusterBytes / 32);
            }
          }
          const all = { ...window, maxRanges: Number.POSITIVE_INFINITY };
          if (broken < 0) {
            expect(await kernel.scanClusters(tables, wanted, window)).toEqual(shadow.page(window));
            const paged = await allPages((w) => kernel.scanClusters(tables, wanted, w), window);
            expect(paged.page).toEqual(shadow.page(all));
            return;
          }
          const perTable = clusterBytes / (extendedL2 ? 16 : 8);
          await expect(kernel.scanClusters(tables, wanted, all)).rejects.toMatchObject({
            code: 'ERR_CBT_CORRUPT_IMAGE',
            details: { l1Index: Math.floor(broken / perTable), l2Index: broken % perTable },
          });
        },
      );
      await fc.assert(property, { numRuns });
    });
  });
});
