/** Malformed qcow2 tables: what every kernel must refuse, entry by entry. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterTables } from '../../lib/core/bitmapKernel.js';
import { ALL, C3, CLUSTER, extended, external, HOST, spec, third, wanted } from '../helpers/clusterSpecs.js';
import { COMPRESSED, COPIED, type TableSpec, writeTables, ZERO } from '../helpers/clusterTables.js';
import { kernels } from '../helpers/kernels.js';
import { ScratchFile } from '../helpers/storedBits.js';

const KIB = 1024;

let file: ScratchFile;

beforeAll(async () => {
  file = await ScratchFile.make();
});

afterAll(() => file.remove());

interface BadCase {
  name: string;
  tables: TableSpec;
  l2Index?: number;
  value: string;
}

const bad: BadCase[] = [
  ...[1n, 2n, 3n, 8n, 56n, 60n, 61n].map((bit) => ({
    name: `reserved bit ${bit}`,
    tables: spec(third(COPIED | HOST | (1n << bit))),
    value: `0x${(COPIED | HOST | (1n << bit)).toString(16).padStart(16, '0')}`,
  })),
  { name: 'a reserved bit alone', tables: spec(third(4n)), value: '0x0000000000000004' },
  { name: 'a reserved bit beside a zero flag', tables: spec(third(5n)), value: '0x0000000000000005' },
  {
    name: 'a zero flag in version 2',
    tables: spec(third(ZERO), { version: 2 }),
    value: '0x0000000000000001',
  },
  {
    name: 'a zero flag with a cluster in version 2',
    tables: spec(third(ZERO | HOST), { version: 2 }),
    value: '0x0000000000050001',
  },
  {
    name: 'a host offset within a cluster',
    tables: spec(third(COPIED | (HOST + 512n))),
    value: '0x8000000000050200',
  },
  {
    name: 'the host offset of a zero within a cluster',
    tables: spec(third(ZERO | 0x8000n)),
    value: '0x0000000000008001',
  },
  {
    name: 'a host cluster at the end of the file',
    tables: spec(third(COPIED | 0x40000000n)),
    value: '0x8000000040000000',
  },
  {
    name: 'a host cluster far past the end of the file',
    tables: spec(third(0x00ffffffffff0000n)),
    value: '0x00ffffffffff0000',
  },
  {
    name: 'a kept host cluster past the end of the file',
    tables: spec(third(ZERO | 0x40000000n)),
    value: '0x0000000040000001',
  },
  {
    name: 'a compressed cluster beside an external data file',
    tables: external(third(COMPRESSED | BigInt(C3))),
    value: '0x4000000000030000',
  },
  {
    name: 'an external cluster elsewhere',
    tables: external(third(COPIED | HOST)),
    value: '0x8000000000050000',
  },
  {
    name: 'an external cluster at 0 that is not the first',
    tables: external(third(COPIED)),
    value: '0x8000000000000000',
  },
  {
    name: 'a kept external cluster elsewhere',
    tables: external(third(ZERO | HOST)),
    value: '0x0000000000050001',
  },
  {
    name: 'a zero flag in an extended entry',
    tables: extended(third([HOST | ZERO, 0n])),
    value: '0x0000000000050001 0x0000000000000000',
  },
  {
    name: 'a subcluster of both kinds',
    tables: extended(third([COPIED | HOST, (1n << 7n) | (1n << 39n)])),
    value: '0x8000000000050000 0x0000008000000080',
  },
  {
    name: 'the last subcluster of both kinds',
    tables: extended(third([COPIED | HOST, (1n << 31n) | (1n << 63n)])),
    value: '0x8000000000050000 0x8000000080000000',
  },
  {
    name: 'a subcluster with data and no cluster',
    tables: extended(third([0n, 1n << 31n])),
    value: '0x0000000000000000 0x0000000080000000',
  },
  {
    name: 'a subcluster with data and only a copied flag',
    tables: extended(third([COPIED, 1n])),
    value: '0x8000000000000000 0x0000000000000001',
  },
  {
    name: 'a compressed cluster with subclusters',
    tables: extended(third([COMPRESSED | 0x1000n, 1n << 32n])),
    value: '0x4000000000001000 0x0000000100000000',
  },
  {
    name: 'a cluster without subclusters past the end',
    tables: extended(third([0x40000000n, 0n])),
    value: '0x0000000040000000 0x0000000000000000',
  },
  {
    name: 'an external cluster elsewhere, with subclusters',
    tables: external(third([COPIED | HOST, 1n]), { extendedL2: true }),
    value: '0x8000000000050000 0x0000000000000001',
  },
];

describe.each(kernels)('$label: malformed tables', ({ kernel }) => {
  const corrupt = (details: object) => ({ code: 'ERR_CBT_CORRUPT_IMAGE', details });

  describe.each(wanted)('asked for %s', (which) => {
    it.each(bad)('$name', async ({ tables: one, value }) => {
      // One absent table before, so that L1 and L2 index differ from the cluster's number.
      const perTable = CLUSTER / (one.extendedL2 ? 16 : 8);
      const { l1, ...rest } = await writeTables(file, one);
      const shift = one.externalData ? 0 : 1;
      const tables: ClusterTables = { ...rest, l1: Float64Array.from([...new Array(shift).fill(0), ...l1]) };
      const at = (shift * perTable + 3) * CLUSTER;
      const whole = { startBytes: 0, endBytes: at + 5 * CLUSTER, maxRanges: ALL };
      const promise = kernel.scanClusters(tables, which, whole);
      await expect(promise).rejects.toMatchObject(corrupt({ l1Index: shift, l2Index: 3, value }));
      await expect(promise).rejects.toThrow(value);
      // One byte of the cluster is enough, and none is not.
      await expect(
        kernel.scanClusters(tables, which, { ...whole, startBytes: at + CLUSTER - 1 }),
      ).rejects.toMatchObject(corrupt({ l2Index: 3 }));
      await expect(kernel.scanClusters(tables, which, { ...whole, endBytes: at + 1 })).rejects.toMatchObject(
        corrupt({ l2Index: 3 }),
      );
      await expect(kernel.scanClusters(tables, which, { ...whole, endBytes: at })).resolves.toMatchObject({
        nextBytes: at,
      });
      const behind = { ...whole, startBytes: at + CLUSTER };
      await expect(kernel.scanClusters(tables, which, behind)).resolves.toMatchObject({
        nextBytes: behind.endBytes,
      });
    });
  });

  it.each([
    ['within a cluster', 512],
    ['at the end of the file', 2 ** 30],
    ['past the end of the file', 2 ** 40],
  ])('an L2 table %s', async (_, offset) => {
    const tables: ClusterTables = {
      ...(await writeTables(file, spec(third(HOST)))),
      l1: Float64Array.of(0, offset),
    };
    const perTable = 8192 * CLUSTER;
    const promise = kernel.scanClusters(tables, 'data', {
      startBytes: 0,
      endBytes: 2 * perTable,
      maxRanges: ALL,
    });
    await expect(promise).rejects.toMatchObject(corrupt({ l1Index: 1 }));
    await expect(promise).rejects.toThrow(String(offset));
    await expect(
      kernel.scanClusters(tables, 'data', { startBytes: 0, endBytes: perTable, maxRanges: ALL }),
    ).resolves.toBeDefined();
  });

  it('an L2 table that the file ends in', async () => {
    const short = await ScratchFile.make();
    try {
      const tables = await writeTables(short, spec([HOST, HOST]));
      await short.truncate(short.sizeBytes - 8);
      const perTable = 8192 * CLUSTER;
      const whole = { startBytes: 0, endBytes: perTable, maxRanges: ALL };
      await expect(kernel.scanClusters(tables, 'data', whole)).rejects.toMatchObject(corrupt({ l1Index: 0 }));
      expect(
        (await kernel.scanClusters(tables, 'data', { ...whole, endBytes: 4 * KIB * CLUSTER })).ranges,
      ).toEqual(Float64Array.of(0, 2 * CLUSTER));
    } finally {
      await short.remove();
    }
  });

  it('tables that cannot be read', async () => {
    const tables: ClusterTables = { ...(await writeTables(file, spec(third(HOST)))), fd: 2 ** 20 };
    const promise = kernel.scanClusters(tables, 'data', { startBytes: 0, endBytes: CLUSTER, maxRanges: ALL });
    await expect(promise).rejects.toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      details: { errno: 'EBADF' },
    });
  });
});
