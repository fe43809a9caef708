/**
 * What a qcow2 file of ours says of itself: the header (version 3) with the name and format of the layer below, and the
 * reference counts of a file whose clusters are all in use, once each (docs/interop/qcow2.txt).
 */
import { invalidArgument } from '../../../core/errors.js';
import { MAX_BACKING_NAME_BYTES, QCOW2_MAGIC, V3_HEADER_BYTES } from './header.js';

const VERSION = 3;
const BACKING_FORMAT_EXTENSION = 0xe2792aca;
/** Counts of 16 bits. */
const REFCOUNT_ORDER = 4;
const REFCOUNT_BYTES = 2;

export interface HeaderFields {
  sizeBytes: number;
  clusterBytes: number;
  /** Name of the file below; null for none. */
  backing: string | null;
  /** Its format; qcow2 unless given. */
  backingFormat?: string;
  l1: { entries: number; offsetBytes: number };
  refcountTable: { clusters: number; offsetBytes: number };
}

/** The first bytes of the file; the rest of its cluster is zeros. */
export function writeHeader(fields: HeaderFields): Buffer {
  const { sizeBytes, clusterBytes, backing, backingFormat = 'qcow2', l1, refcountTable } = fields;
  const name = Buffer.from(backing ?? '');
  if (name.length > MAX_BACKING_NAME_BYTES)
    throw invalidArgument('backing', backing, `at most ${MAX_BACKING_NAME_BYTES} bytes`);
  const fixed = Buffer.alloc(V3_HEADER_BYTES);
  fixed.writeUInt32BE(QCOW2_MAGIC, 0);
  fixed.writeUInt32BE(VERSION, 4);
  fixed.writeUInt32BE(Math.log2(clusterBytes), 20);
  fixed.writeBigUInt64BE(BigInt(sizeBytes), 24);
  fixed.writeUInt32BE(l1.entries, 36);
  fixed.writeBigUInt64BE(BigInt(l1.offsetBytes), 40);
  fixed.writeBigUInt64BE(BigInt(refcountTable.offsetBytes), 48);
  fixed.writeUInt32BE(refcountTable.clusters, 56);
  fixed.writeUInt32BE(REFCOUNT_ORDER, 96);
  fixed.writeUInt32BE(V3_HEADER_BYTES, 100);
  const end = Buffer.alloc(8);
  if (backing === null) return Buffer.concat([fixed, end]);
  // What an extension holds is padded to whole words.
  const format = Buffer.alloc(8 + Math.ceil(Buffer.byteLength(backingFormat) / 8) * 8);
  format.writeUInt32BE(BACKING_FORMAT_EXTENSION, 0);
  format.writeUInt32BE(Buffer.byteLength(backingFormat), 4);
  format.write(backingFormat, 8);
  fixed.writeBigUInt64BE(BigInt(fixed.length + format.length + end.length), 8);
  fixed.writeUInt32BE(name.length, 16);
  return Buffer.concat([fixed, format, end, name]);
}

export interface RefcountLayout {
  /** Of the whole file, counts included. */
  clusters: number;
  /** Cluster of the file where the table starts, and how many it takes. */
  tableIndex: number;
  tableClusters: number;
  /** What is to be written, cluster by cluster; the bytes are the reader's until it asks for the next. */
  writes(): Generator<{ clusterIndex: number; bytes: Buffer }>;
}

/** The counts of a file of `used` clusters, put behind it: they count themselves as well. */
export function refcountLayout(used: number, clusterBytes: number): RefcountLayout {
  const perBlock = clusterBytes / REFCOUNT_BYTES;
  let blocks = 0;
  let tableClusters = 0;
  let clusters = used;
  while (blocks * perBlock < clusters) {
    blocks = Math.ceil(clusters / perBlock);
    tableClusters = Math.ceil((8 * blocks) / clusterBytes);
    clusters = used + blocks + tableClusters;
  }
  const tableIndex = used + blocks;
  return {
    clusters,
    tableIndex,
    tableClusters,
    *writes() {
      const block = Buffer.alloc(clusterBytes);
      for (let i = 0; i < clusterBytes; i += REFCOUNT_BYTES) block.writeUInt16BE(1, i);
      const table = Buffer.alloc(tableClusters * clusterBytes);
      for (let i = 0; i < blocks; i += 1) {
        table.writeBigUInt64BE(BigInt((used + i) * clusterBytes), 8 * i);
        if (i === blocks - 1) block.fill(0, (clusters - i * perBlock) * REFCOUNT_BYTES);
        yield { clusterIndex: used + i, bytes: block };
      }
      yield { clusterIndex: tableIndex, bytes: table };
    },
  };
}
