/** Allocation of a qcow2 layer from its tables: what every kernel must answer and refuse, entry by entry. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterClass, ClusterTables } from '../../lib/core/bitmapKernel.js';
import {
  ALL,
  both,
  C3,
  CLUSTER,
  extended,
  external,
  HOST,
  spec,
  third,
  wanted,
} from '../helpers/clusterSpecs.js';
import {
  COMPRESSED,
  COPIED,
  type Entry,
  type TableSpec,
  writeTables,
  ZERO,
} from '../helpers/clusterTables.js';
import { kernels } from '../helpers/kernels.js';
import { allPages, Shadow } from '../helpers/shadow.js';
import { ScratchFile } from '../helpers/storedBits.js';

const FULL = 0xffffffffn;

let file: ScratchFile;

beforeAll(async () => {
  file = await ScratchFile.make();
});

afterAll(() => file.remove());

const SUB = CLUSTER / 32;

interface Case {
  name: string;
  tables: TableSpec;
  data: number[];
  allocated: number[];
}

const zeros = (ranges: number[]) => ({ data: [], allocated: ranges });

const cases: Case[] = [
  { name: 'nothing', tables: spec(third(0n)), ...both([]) },
  { name: 'a cluster of its own', tables: spec(third(COPIED | HOST)), ...both([C3, CLUSTER]) },
  { name: 'a cluster shared with a snapshot', tables: spec(third(HOST)), ...both([C3, CLUSTER]) },
  { name: 'an explicit zero', tables: spec(third(ZERO)), ...zeros([C3, CLUSTER]) },
  {
    name: 'an explicit zero with a cluster kept for it',
    tables: spec(third(COPIED | HOST | ZERO)),
    ...zeros([C3, CLUSTER]),
  },
  { name: 'a compressed cluster', tables: spec(third(COMPRESSED | 0x123456789n)), ...both([C3, CLUSTER]) },
  {
    name: 'a compressed cluster whose offset looks like flags',
    tables: spec(third(COMPRESSED | 0x3f000000000001ffn)),
    ...both([C3, CLUSTER]),
  },
  {
    name: 'a compressed cluster in version 2',
    tables: spec(third(COMPRESSED | 1n), { version: 2 }),
    ...both([C3, CLUSTER]),
  },
  {
    name: 'a cluster in version 2',
    tables: spec(third(COPIED | HOST), { version: 2 }),
    ...both([C3, CLUSTER]),
  },
  { name: 'a copied flag without a host offset', tables: spec(third(COPIED)), ...both([]) },
  {
    name: 'the last cluster of the file, cut short',
    tables: spec(third(COPIED | 0x3fff0000n), { fileBytes: 0x3fff0001 }),
    ...both([C3, CLUSTER]),
  },
  {
    name: 'data that touches data',
    tables: spec([HOST, HOST, 0n, HOST]),
    ...both([0, 2 * CLUSTER, C3, CLUSTER]),
  },
  {
    name: 'data that touches zeros',
    tables: spec([HOST, ZERO, 0n, ZERO]),
    data: [0, CLUSTER],
    allocated: [0, 2 * CLUSTER, C3, CLUSTER],
  },
  { name: 'an external cluster at offset 0', tables: external([COPIED, 0n]), ...both([0, CLUSTER]) },
  {
    name: 'an external cluster at its guest offset',
    tables: external(third(COPIED | BigInt(C3))),
    ...both([C3, CLUSTER]),
  },
  {
    name: 'an external cluster without the copied flag',
    tables: external(third(BigInt(C3))),
    ...both([C3, CLUSTER]),
  },
  { name: 'an external zero', tables: external(third(ZERO)), ...zeros([C3, CLUSTER]) },
  {
    name: 'an external zero that keeps its cluster',
    tables: external(third(ZERO | COPIED | BigInt(C3))),
    ...zeros([C3, CLUSTER]),
  },
  {
    name: 'an external zero with a copied flag',
    tables: external(third(ZERO | COPIED)),
    ...zeros([C3, CLUSTER]),
  },
  { name: 'all subclusters', tables: extended(third([COPIED | HOST, FULL])), ...both([C3, CLUSTER]) },
  {
    name: 'all subclusters zero',
    tables: extended(third([COPIED | HOST, FULL << 32n])),
    ...zeros([C3, CLUSTER]),
  },
  {
    name: 'all subclusters zero without a cluster',
    tables: extended(third([0n, FULL << 32n])),
    ...zeros([C3, CLUSTER]),
  },
  { name: 'a cluster without subclusters', tables: extended(third([COPIED | HOST, 0n])), ...both([]) },
  { name: 'the first subcluster', tables: extended(third([COPIED | HOST, 1n])), ...both([C3, SUB]) },
  {
    name: 'the last subcluster',
    tables: extended(third([COPIED | HOST, 1n << 31n])),
    ...both([C3 + 31 * SUB, SUB]),
  },
  { name: 'the first subcluster zero', tables: extended(third([0n, 1n << 32n])), ...zeros([C3, SUB]) },
  {
    name: 'the last subcluster zero',
    tables: extended(third([0n, 1n << 63n])),
    ...zeros([C3 + 31 * SUB, SUB]),
  },
  {
    name: 'some subclusters of each kind',
    tables: extended(third([COPIED | HOST, 0b0111n | (0b1000n << 32n) | (1n << 41n)])),
    data: [C3, 3 * SUB],
    allocated: [C3, 4 * SUB, C3 + 9 * SUB, SUB],
  },
  {
    name: 'subclusters that touch across clusters',
    tables: extended([
      [HOST, 3n << 30n],
      [HOST, 1n],
    ]),
    ...both([30 * SUB, 3 * SUB]),
  },
  {
    name: 'a compressed cluster among extended entries',
    tables: extended(third([COMPRESSED | 0x1234567n, 0n])),
    ...both([C3, CLUSTER]),
  },
  {
    name: 'an external cluster at offset 0 with subclusters',
    tables: external([[COPIED, 5n]], { extendedL2: true }),
    ...both([0, SUB, 2 * SUB, SUB]),
  },
];

describe.each(kernels)('$label: clusters', ({ kernel }) => {
  const scan = async (tables: ClusterTables, which: ClusterClass, startBytes: number, endBytes: number) => [
    ...(await kernel.scanClusters(tables, which, { startBytes, endBytes, maxRanges: ALL })).ranges,
  ];

  describe.each(wanted)('%s', (which) => {
    it.each(cases)('$name', async ({ tables: one, [which]: ranges }) => {
      const tables = await writeTables(file, one);
      const endBytes = one.entries.length * CLUSTER;
      const whole = { startBytes: 0, endBytes, maxRanges: ALL };
      expect(await kernel.scanClusters(tables, which, whole)).toEqual({
        ranges: Float64Array.from(ranges),
        startBytes: 0,
        nextBytes: endBytes,
      });
      for (let maxRanges = 1; maxRanges <= ranges.length / 2 + 1; maxRanges += 1) {
        const all = await allPages((w) => kernel.scanClusters(tables, which, w), { ...whole, maxRanges });
        expect([...all.page.ranges]).toEqual(ranges);
        expect(all.pages).toBe(Math.max(1, Math.ceil(ranges.length / 2 / maxRanges)));
      }
    });
  });

  it('cuts clusters and subclusters at the window', async () => {
    const tables = await writeTables(file, spec(third(HOST)));
    expect(await scan(tables, 'data', C3 + 1, C3 + 2)).toEqual([C3 + 1, 1]);
    expect(await scan(tables, 'data', C3 - 1, C3 + 1)).toEqual([C3, 1]);
    expect(await scan(tables, 'data', C3 + CLUSTER, C3 + CLUSTER + 1)).toEqual([]);
    expect(await scan(tables, 'data', C3 + 5, C3 + 5)).toEqual([]);
    const fine = await writeTables(file, extended(third([HOST, 2n])));
    expect(await scan(fine, 'data', C3 + SUB + 7, 8 * CLUSTER)).toEqual([C3 + SUB + 7, SUB - 7]);
    expect(await scan(fine, 'data', C3 + SUB + 7, C3 + SUB + 9)).toEqual([C3 + SUB + 7, 2]);
    expect(await scan(fine, 'data', C3 + 2 * SUB, 8 * CLUSTER)).toEqual([]);
  });

  it.each([9, 10, 12, 14, 16, 21])(
    'goes from table to table with clusters of 2^%i bytes',
    async (clusterBits) => {
      const clusterBytes = 2 ** clusterBits;
      const perTable = clusterBytes / 8;
      // Tables 0 and 3 end and begin with data, 1 is absent, 2 is all zeros.
      const entries: Entry[] = new Array(perTable * 4).fill(0n);
      const host = COPIED | (1n << 21n);
      for (const at of [perTable - 2, perTable - 1, 3 * perTable]) entries[at] = host;
      entries.fill(ZERO, 2 * perTable, 3 * perTable);
      const tables = await writeTables(file, { clusterBits, entries });
      expect(tables.l1[1]).toBe(0);
      const end = entries.length * clusterBytes;
      expect(await scan(tables, 'data', 0, end)).toEqual([
        (perTable - 2) * clusterBytes,
        2 * clusterBytes,
        3 * perTable * clusterBytes,
        clusterBytes,
      ]);
      expect(await scan(tables, 'allocated', 0, end)).toEqual([
        (perTable - 2) * clusterBytes,
        2 * clusterBytes,
        2 * perTable * clusterBytes,
        (perTable + 1) * clusterBytes,
      ]);
    },
  );

  it('lets clusters of an external data file lie past the end of the file that holds the tables', async () => {
    const small = await ScratchFile.make();
    try {
      const entries = [...new Array<bigint>(99).fill(0n), COPIED | BigInt(99 * CLUSTER)];
      const tables = await writeTables(small, external(entries));
      const exact = { ...tables, fileBytes: small.sizeBytes };
      expect(await scan(exact, 'data', 0, 100 * CLUSTER)).toEqual([99 * CLUSTER, CLUSTER]);
      await expect(scan({ ...exact, externalData: false }, 'data', 0, 100 * CLUSTER)).rejects.toThrow(
        /past the end/,
      );
    } finally {
      await small.remove();
    }
  });

  it('pages up to any byte, with any cap, and never past it', async () => {
    const tables = await writeTables(
      file,
      extended([
        [HOST, 0x0f0f5555n],
        [0n, 0x55555555n << 32n],
        [HOST, 0x80000001n],
      ]),
    );
    const { ranges } = await kernel.scanClusters(tables, 'allocated', {
      startBytes: 0,
      endBytes: 3 * CLUSTER,
      maxRanges: ALL,
    });
    const shadow = Shadow.of(3 * CLUSTER, ranges);
    for (let endBytes = 0; endBytes <= 3 * CLUSTER; endBytes += SUB / 2) {
      for (const startBytes of [0, SUB + 1, CLUSTER, 2 * CLUSTER - 1].filter((start) => start <= endBytes)) {
        for (const maxRanges of [1, 2, 7]) {
          const window = { startBytes, endBytes, maxRanges };
          expect(await kernel.scanClusters(tables, 'allocated', window)).toEqual(shadow.page(window));
        }
      }
    }
  });

  it('goes through 64 TiB of absent tables at once', async () => {
    const l1 = new Float64Array(2 ** 17);
    l1[l1.length - 1] = (await writeTables(file, spec([...new Array<bigint>(8191).fill(0n), HOST]))).l1[0]!;
    const tables: ClusterTables = {
      fd: file.fd,
      clusterBits: 16,
      extendedL2: false,
      version: 3,
      externalData: false,
      l1,
      fileBytes: 2 ** 30,
    };
    const started = performance.now();
    expect(await scan(tables, 'data', 0, 2 ** 46)).toEqual([2 ** 46 - CLUSTER, CLUSTER]);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('names the bytes of a cluster next to 2^53', async () => {
    const l1 = new Float64Array(2 ** 53 / (2 ** 21 * 2 ** 18));
    const entries: Entry[] = new Array(2 ** 18).fill(0n);
    entries[2 ** 18 - 1] = 1n << 21n;
    l1[l1.length - 1] = (await writeTables(file, { clusterBits: 21, entries })).l1[0]!;
    const tables: ClusterTables = {
      fd: file.fd,
      clusterBits: 21,
      extendedL2: false,
      version: 3,
      externalData: false,
      l1,
      fileBytes: 2 ** 30,
    };
    expect(await scan(tables, 'data', 0, Number.MAX_SAFE_INTEGER)).toEqual([2 ** 53 - 2 ** 21, 2 ** 21 - 1]);
  });
});
