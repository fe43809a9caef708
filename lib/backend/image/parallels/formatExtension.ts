/**
 * The Format Extension: one cluster of features, sealed with an MD5 (docs/interop/parallels.rst, "Format Extension").
 *
 *   | magic 8 | MD5 of the rest 16 | feature | feature | ... | end of features 24 x 0 | zeros |
 *   feature: | magic 8 | flags 8 | data_size 4 | unused 4 | data | pad to 8 |
 *
 * Damage here costs the bitmaps, never the disk's data, so it is told as a fault and not thrown.
 */
import { createHash } from 'node:crypto';
import { corrupt, type Fault, hex, unsupported } from '../faults.js';
import type { FileSnapshot } from '../imageFile.js';
import { findPlaceFault, type ParallelsHeader, SECTOR_BYTES } from './header.js';

const MAGIC = 0xab23_4cef_23dc_ea87n;
const MAGIC_END = 0n;
const MAGIC_DIRTY_BITMAP = 0x2038_5fae_252c_b34an;

const FLAG_NECESSARY = 1n;
const FLAG_TRANSIT = 2n;
const KNOWN_FLAGS = FLAG_NECESSARY | FLAG_TRANSIT;

const SEALED_FROM = 24;
const FEATURE_HEAD_BYTES = 24;

/** Largest cluster that is read as an extension: ploop's limit for a cluster. It is held in memory whole. */
const MAX_CLUSTER_BYTES = 64 * 2 ** 20;
const READ_BYTES = 2 ** 20;

export interface FormatExtension {
  /** The first bytes of the cluster: magic and checksum, which change with anything behind them. */
  seal: Buffer;
  /** Data of each dirty bitmap feature, in the order of the file. */
  bitmaps: readonly Buffer[];
}

/** The extension that `ext_off` (not 0) points at, or what is wrong with it as a whole. */
export async function readFormatExtension(
  snapshot: FileSnapshot,
  header: ParallelsHeader,
  signal?: AbortSignal,
): Promise<FormatExtension | Fault> {
  const { clusterBytes, extOffSectors } = header;
  if (clusterBytes > MAX_CLUSTER_BYTES) {
    return unsupported(
      'cluster size of an image with ext_off',
      clusterBytes,
      `at most ${MAX_CLUSTER_BYTES} bytes`,
    );
  }
  const misplaced = findPlaceFault('ext_off', extOffSectors, header, snapshot.sizeBytes);
  if (misplaced !== undefined) return misplaced;
  const cluster = await readCluster(snapshot, Number(extOffSectors) * SECTOR_BYTES, clusterBytes, signal);
  const fault = findSealFault(cluster);
  if (fault !== undefined) return fault;
  const bitmaps = walkFeatures(cluster);
  return Array.isArray(bitmaps) ? { seal: cluster.subarray(0, SEALED_FROM), bitmaps } : bitmaps;
}

async function readCluster(
  snapshot: FileSnapshot,
  offsetBytes: number,
  clusterBytes: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const cluster = Buffer.allocUnsafe(clusterBytes);
  for (let at = 0; at < clusterBytes; at += READ_BYTES) {
    const length = Math.min(READ_BYTES, clusterBytes - at);
    (await snapshot.read(offsetBytes + at, length, 'Format Extension cluster', signal)).copy(cluster, at);
  }
  return cluster;
}

function findSealFault(cluster: Buffer): Fault | undefined {
  const magic = cluster.readBigUInt64LE(0);
  if (magic !== MAGIC) return corrupt('Format Extension magic', hex(magic), hex(MAGIC));
  const found = cluster.toString('hex', 8, SEALED_FROM);
  const expected = md5(cluster.subarray(SEALED_FROM));
  if (expected === null)
    return unsupported('MD5 of this Node.js', 'off', 'there to check the Format Extension');
  if (found !== expected) return corrupt('Format Extension m_CheckSum', found, expected);
  return undefined;
}

/** Null where the crypto library refuses MD5 (FIPS mode): an unchecked extension is not believed. */
function md5(bytes: Buffer): string | null {
  try {
    return createHash('md5').update(bytes).digest('hex');
  } catch {
    return null;
  }
}

/**
 * A feature that nobody here knows is passed over when its flags allow that: the format has software drop it. NECESSARY
 * guards it against writers only, yet what it does to the bitmaps beside it is not known, so it costs them.
 */
function walkFeatures(cluster: Buffer): Buffer[] | Fault {
  const bitmaps: Buffer[] = [];
  let at = SEALED_FROM;
  for (let number = 1; ; number++) {
    const what = `feature ${number}`;
    if (at + FEATURE_HEAD_BYTES > cluster.length) {
      return corrupt(
        `end of the header of ${what}`,
        at + FEATURE_HEAD_BYTES,
        `at most ${cluster.length}, the cluster size`,
      );
    }
    const magic = cluster.readBigUInt64LE(at);
    const flags = cluster.readBigUInt64LE(at + 8);
    const dataBytes = cluster.readUInt32LE(at + 16);
    if (magic === MAGIC_END)
      return findEndFault(cluster.subarray(at, at + FEATURE_HEAD_BYTES), what) ?? bitmaps;
    if ((flags & ~KNOWN_FLAGS) !== 0n)
      return unsupported(`flags of ${what}`, hex(flags), `at most ${hex(KNOWN_FLAGS)}`);
    at += FEATURE_HEAD_BYTES;
    const padded = Math.ceil(dataBytes / 8) * 8;
    if (padded > cluster.length - at) {
      return corrupt(
        `data_size of ${what}`,
        dataBytes,
        `at most ${cluster.length - at}, the rest of the cluster`,
      );
    }
    if (magic === MAGIC_DIRTY_BITMAP) {
      bitmaps.push(cluster.subarray(at, at + dataBytes));
    } else if ((flags & FLAG_NECESSARY) !== 0n) {
      return unsupported(
        `magic of ${what}, flagged NECESSARY`,
        hex(magic),
        `${hex(MAGIC_DIRTY_BITMAP)} (dirty bitmap)`,
      );
    }
    at += padded;
  }
}

function findEndFault(head: Buffer, what: string): Fault | undefined {
  if (head.every((byte) => byte === 0)) return undefined;
  return corrupt(`${what}, the end of features`, `0x${head.toString('hex')}`, 'all zero');
}
