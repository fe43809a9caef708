/** Tables for the tests of kernels. */
import type { ClusterClass } from '../../lib/core/bitmapKernel.js';
import type { Entry, TableSpec } from './clusterTables.js';

export const ALL = Number.POSITIVE_INFINITY;

export const CLUSTER = 65536;

export const HOST = 0x50000n;

export const spec = (entries: readonly Entry[], changes: Partial<TableSpec> = {}): TableSpec => ({
  clusterBits: 16,
  entries,
  ...changes,
});

export const extended = (entries: readonly Entry[], changes: Partial<TableSpec> = {}): TableSpec =>
  spec(entries, { extendedL2: true, ...changes });

export const external = (entries: readonly Entry[], changes: Partial<TableSpec> = {}): TableSpec =>
  spec(entries, { externalData: true, ...changes });

/** The entry stands at cluster 3 of a disk of 8. */
export const third = (entry: Entry): Entry[] => [0n, 0n, 0n, entry, 0n, 0n, 0n, 0n];

export const C3 = 3 * CLUSTER;

export const both = (ranges: number[]) => ({ data: ranges, allocated: ranges });

export const wanted: ClusterClass[] = ['data', 'allocated'];
