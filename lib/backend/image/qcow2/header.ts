/**
 * The fixed part of a qcow2 header, versions 2 and 3, every field held against QEMU's own maxima before anything uses
 * it (docs/interop/qcow2.txt, "Header"; the limits are those of QEMU 7.2). Reference counts never decide an answer, so their
 * fields only have to be sane: damage there is damage to the header.
 */
import { corrupt, type Fault, faultError, hex, unsupported } from '../faults.js';
import { u32, u64 } from './fields.js';

export const QCOW2_MAGIC = 0x514649fb;
/** Bytes of the longest header whose fields are known here. */
export const KNOWN_HEADER_BYTES = 112;

const V2_HEADER_BYTES = 72;
export const V3_HEADER_BYTES = 104;
const MIN_CLUSTER_BITS = 9;
const MAX_CLUSTER_BITS = 21;
const MIN_SUBCLUSTER_BYTES = 512;
export const MAX_L1_BYTES = 32 * 2 ** 20;
const MAX_REFTABLE_BYTES = 8 * 2 ** 20;
const MAX_REFCOUNT_ORDER = 6;
const MAX_SNAPSHOTS = 65536;
export const MAX_BACKING_NAME_BYTES = 1023;
const SECTOR_BYTES = 512;

const EXTERNAL_DATA = 1n << 2n;
const COMPRESSION = 1n << 3n;
const EXTENDED_L2 = 1n << 4n;
const AUTOCLEAR_RAW_DATA = 1n << 1n;

export type Encryption = 'none' | 'aes' | 'luks';

export interface Qcow2Header {
  version: 2 | 3;
  clusterBits: number;
  clusterBytes: number;
  /** Size of the disk; QEMU counts whole sectors, so the field rounded down to 512. */
  sizeBytes: number;
  incompatible: bigint;
  autoclear: bigint;
  encryption: Encryption;
  /** The active L1 table: `entries` is what the size needs, at most what the header says there is. */
  l1: { offsetBytes: number; entries: number };
  externalData: boolean;
  /** The external file is the disk's bytes as they are. */
  rawData: boolean;
  extendedL2: boolean;
  /** The table of reference counts, and how wide a count is; what it says of clusters is never believed for an answer. */
  refcounts: { offsetBytes: number; tableClusters: number; bits: number };
  /** Where header extensions start and must end. */
  extensions: { startBytes: number; endBytes: number };
  /** Where the backing file's name is; length 0 for none. */
  backingName: { offsetBytes: number; lengthBytes: number };
}

/**
 * Reads the header's fields from the first bytes of the file; `where` names it. The cluster size is enough to know how
 * much more to read, see {@link readClusterBits}.
 */
export function parseHeader(where: string, bytes: Buffer): Qcow2Header {
  const check = checker(where);
  const clusterBits = readClusterBits(where, bytes);
  const clusterBytes = 2 ** clusterBits;
  const version = u32(bytes, 4) === 2 ? 2 : 3;
  const v3 = version === 3;
  if (v3)
    check(bytes.length >= V3_HEADER_BYTES, corrupt('file size', bytes.length, `at least ${V3_HEADER_BYTES}`));

  const headerLength = v3 ? u32(bytes, 100) : V2_HEADER_BYTES;
  const headerLimit = `${V3_HEADER_BYTES} to ${clusterBytes} (one cluster)`;
  check(!v3 || headerLength >= V3_HEADER_BYTES, corrupt('header_length', headerLength, headerLimit));
  check(headerLength <= clusterBytes, corrupt('header_length', headerLength, headerLimit));

  const incompatible = v3 ? u64(bytes, 72) : 0n;
  const autoclear = v3 ? u64(bytes, 88) : 0n;
  checkCompression(where, bytes, headerLength, incompatible);
  const extendedL2 = (incompatible & EXTENDED_L2) !== 0n;
  check(
    !extendedL2 || clusterBytes / 32 >= MIN_SUBCLUSTER_BYTES,
    corrupt('cluster_bits', clusterBits, 'at least 14 with extended L2 entries'),
  );
  checkReferenceCounts(where, bytes, v3, clusterBytes);
  checkSnapshots(where, bytes, clusterBytes);

  const size = u64(bytes, 24);
  check(
    size <= BigInt(Number.MAX_SAFE_INTEGER),
    unsupported('size', size, `at most ${Number.MAX_SAFE_INTEGER} bytes`),
  );
  const backingName = readBackingName(where, bytes, clusterBytes);
  return {
    version,
    clusterBits,
    clusterBytes,
    sizeBytes: Number(size) - (Number(size) % SECTOR_BYTES),
    incompatible,
    autoclear,
    encryption: readEncryption(where, u32(bytes, 32)),
    l1: readL1(where, bytes, Number(size), clusterBytes, extendedL2),
    externalData: (incompatible & EXTERNAL_DATA) !== 0n,
    rawData: (autoclear & AUTOCLEAR_RAW_DATA) !== 0n,
    extendedL2,
    refcounts: {
      offsetBytes: Number(u64(bytes, 48)),
      tableClusters: u32(bytes, 56),
      bits: 2 ** (v3 ? u32(bytes, 96) : 4),
    },
    extensions: {
      startBytes: headerLength,
      endBytes: backingName.offsetBytes === 0 ? clusterBytes : backingName.offsetBytes,
    },
    backingName,
  };
}

/** Checks magic, version and cluster_bits: what must be known before the first cluster can be read whole. */
export function readClusterBits(where: string, bytes: Buffer): number {
  const check = checker(where);
  check(bytes.length >= V2_HEADER_BYTES, corrupt('file size', bytes.length, `at least ${V2_HEADER_BYTES}`));
  check(u32(bytes, 0) === QCOW2_MAGIC, corrupt('magic', hex(u32(bytes, 0)), hex(QCOW2_MAGIC)));
  const version = u32(bytes, 4);
  check(version === 2 || version === 3, unsupported('version', version, '2 or 3'));
  const clusterBits = u32(bytes, 20);
  const limit = `${MIN_CLUSTER_BITS} to ${MAX_CLUSTER_BITS}`;
  check(
    clusterBits >= MIN_CLUSTER_BITS && clusterBits <= MAX_CLUSTER_BITS,
    corrupt('cluster_bits', clusterBits, limit),
  );
  return clusterBits;
}

/** Guest bytes that one L2 table maps. */
export function l2CoverageBytes(clusterBytes: number, extendedL2: boolean): number {
  return (clusterBytes / (extendedL2 ? 16 : 8)) * clusterBytes;
}

function readL1(
  where: string,
  bytes: Buffer,
  size: number,
  clusterBytes: number,
  extendedL2: boolean,
): Qcow2Header['l1'] {
  const check = checker(where);
  const entries = u32(bytes, 36);
  const offset = u64(bytes, 40);
  check(entries <= MAX_L1_BYTES / 8, corrupt('l1_size', entries, `at most ${MAX_L1_BYTES / 8}`));
  checkAligned(where, 'l1_table_offset', offset, clusterBytes);
  const needed = Math.ceil(size / l2CoverageBytes(clusterBytes, extendedL2));
  check(entries >= needed, corrupt('l1_size', entries, `at least ${needed} for a disk of ${size} bytes`));
  return { offsetBytes: Number(offset), entries: needed };
}

/** The limits of `header.backing_file_size` in QEMU: the name must end inside the first cluster. */
function readBackingName(where: string, bytes: Buffer, clusterBytes: number): Qcow2Header['backingName'] {
  const check = checker(where);
  const offset = u64(bytes, 8);
  if (offset === 0n) return { offsetBytes: 0, lengthBytes: 0 };
  check(offset <= BigInt(clusterBytes), corrupt('backing_file_offset', offset, `at most ${clusterBytes}`));
  const lengthBytes = u32(bytes, 16);
  const most = Math.min(MAX_BACKING_NAME_BYTES, clusterBytes - Number(offset));
  check(lengthBytes <= most, corrupt('backing_file_size', lengthBytes, `at most ${most}`));
  return { offsetBytes: Number(offset), lengthBytes };
}

/** Guest data may be encrypted; tables and bitmaps never are, so both methods can be answered. */
function readEncryption(where: string, method: number): Encryption {
  const known: readonly Encryption[] = ['none', 'aes', 'luks'];
  const found = known[method];
  if (found === undefined)
    throw faultError(where, unsupported('crypt_method', method, '0, 1 (AES) or 2 (LUKS)'));
  return found;
}

/** The type is a field of its own, and an incompatible bit must say so exactly when it is not zlib. */
function checkCompression(where: string, bytes: Buffer, headerLength: number, incompatible: bigint): void {
  const type =
    headerLength > V3_HEADER_BYTES && bytes.length > V3_HEADER_BYTES ? bytes.readUInt8(V3_HEADER_BYTES) : 0;
  const check = checker(where);
  check(type <= 1, unsupported('compression_type', type, '0 (zlib) or 1 (zstd)'));
  const marked = (incompatible & COMPRESSION) !== 0n;
  check(
    marked === (type !== 0),
    corrupt(
      'compression_type',
      type,
      marked ? 'other than 0 as feature bit 3 is set' : '0 as feature bit 3 is unset',
    ),
  );
}

function checkReferenceCounts(where: string, bytes: Buffer, v3: boolean, clusterBytes: number): void {
  const check = checker(where);
  const order = v3 ? u32(bytes, 96) : 4;
  check(order <= MAX_REFCOUNT_ORDER, corrupt('refcount_order', order, `at most ${MAX_REFCOUNT_ORDER}`));
  const clusters = u32(bytes, 56);
  const most = Math.floor(MAX_REFTABLE_BYTES / clusterBytes);
  check(clusters >= 1 && clusters <= most, corrupt('refcount_table_clusters', clusters, `1 to ${most}`));
  checkAligned(where, 'refcount_table_offset', u64(bytes, 48), clusterBytes);
}

function checkSnapshots(where: string, bytes: Buffer, clusterBytes: number): void {
  const count = u32(bytes, 60);
  checker(where)(count <= MAX_SNAPSHOTS, corrupt('nb_snapshots', count, `at most ${MAX_SNAPSHOTS}`));
  checkAligned(where, 'snapshots_offset', u64(bytes, 64), clusterBytes);
}

/** An offset must start a cluster and be one that a file can have. */
function checkAligned(where: string, field: string, offset: bigint, clusterBytes: number): void {
  const limit = `a multiple of ${clusterBytes} below 2^53`;
  const sound = offset <= BigInt(Number.MAX_SAFE_INTEGER) && offset % BigInt(clusterBytes) === 0n;
  checker(where)(sound, corrupt(field, offset, limit));
}

function checker(where: string): (sound: boolean, fault: Fault) => void {
  return (sound, fault) => {
    if (!sound) throw faultError(where, fault);
  };
}
