/**
 * L1 and L2 tables of a qcow2 layer, written from 64-bit words as docs/interop/qcow2.txt has them, or found in a real image.
 */
import { open } from 'node:fs/promises';
import type { ClusterTables } from '../../lib/core/bitmapKernel.js';
import type { ScratchFile } from './storedBits.js';

export const COPIED = 1n << 63n;
export const COMPRESSED = 1n << 62n;
export const ZERO = 1n;

/** An L2 entry: its word, or with extended L2 entries both. */
export type Entry = bigint | readonly [bigint, bigint];

export interface TableSpec {
  clusterBits: number;
  extendedL2?: boolean;
  version?: 2 | 3;
  externalData?: boolean;
  /** Entries of the clusters from 0 on; L2 tables of nothing but 0 are left out of the L1 table. */
  entries: readonly Entry[];
  /** Size the file is said to have; 1 GiB when left out, so that host offsets may be small and free. */
  fileBytes?: number;
}

/** Writes the L2 tables into the file, each at a cluster of its own. */
export async function writeTables(file: ScratchFile, spec: TableSpec): Promise<ClusterTables> {
  const { clusterBits, extendedL2 = false, version = 3, externalData = false, entries } = spec;
  const clusterBytes = 2 ** clusterBits;
  const perTable = clusterBytes / (extendedL2 ? 16 : 8);
  const l1 = new Float64Array(Math.ceil(entries.length / perTable));
  for (const index of l1.keys()) {
    const table = Buffer.alloc(clusterBytes);
    const words = entries
      .slice(index * perTable, (index + 1) * perTable)
      .flatMap((entry) => (typeof entry === 'bigint' ? (extendedL2 ? [entry, 0n] : [entry]) : [...entry]));
    for (const [i, word] of words.entries()) table.writeBigUInt64BE(word, i * 8);
    if (words.some((word) => word !== 0n)) l1[index] = await file.put(table, clusterBytes);
  }
  return {
    fd: file.fd,
    clusterBits,
    extendedL2,
    version,
    externalData,
    l1,
    fileBytes: spec.fileBytes ?? 2 ** 30,
  };
}

/** The tables of a sound image; the descriptor in them is the caller's to close. */
export async function readTables(
  path: string,
): Promise<{ tables: ClusterTables; sizeBytes: number; close(): Promise<void> }> {
  const handle = await open(path, 'r');
  const header = Buffer.alloc(112);
  await handle.read(header, 0, 112, 0);
  const version = header.readUInt32BE(4) as 2 | 3;
  const features = version === 2 ? 0n : header.readBigUInt64BE(72);
  const raw = Buffer.alloc(header.readUInt32BE(36) * 8);
  await handle.read(raw, 0, raw.length, Number(header.readBigUInt64BE(40)));
  const l1 = new Float64Array(raw.length / 8);
  for (const i of l1.keys()) l1[i] = Number(raw.readBigUInt64BE(i * 8) & 0x00fffffffffffe00n);
  const tables: ClusterTables = {
    fd: handle.fd,
    clusterBits: header.readUInt32BE(20),
    extendedL2: (features & 16n) !== 0n,
    version,
    externalData: (features & 4n) !== 0n,
    l1,
    fileBytes: (await handle.stat()).size,
  };
  return { tables, sizeBytes: Number(header.readBigUInt64BE(24)), close: () => handle.close() };
}
