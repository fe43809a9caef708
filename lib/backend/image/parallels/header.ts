/**
 * The 64-byte header of an expandable Parallels image (docs/interop/parallels.rst of QEMU; all fields little-endian). It
 * fixes the sizes that every later check stands on, so nothing in it is believed before it fits the file.
 *
 *   | header 64 | BAT: u32 for each cluster of the disk | padding | data_off: clusters ...             |
 */
import { MAX_DISK_BYTES } from '../../../core/rangePage.js';
import { corrupt, type Fault, faultError, unsupported } from '../faults.js';

export const SECTOR_BYTES = 512;
export const HEADER_BYTES = 64;
export const BAT_ENTRY_BYTES = 4;

/** The image was closed by software that knows the Format Extension ("v2.1"). */
export const IN_USE_CLOSED = 0x312e_3276;
/** The image is open for writing, or was when its software ended. */
export const IN_USE_OPEN = 0x746f_6e59;
/** The image was closed by software that does not know the Format Extension. */
export const IN_USE_CLOSED_BY_OLDER = 0;

/** BAT entries count sectors and the size has 32 bits. */
const MAGIC_SECTORS = 'WithoutFreeSpace';
/** BAT entries count clusters and the size has 64 bits. */
const MAGIC_CLUSTERS = 'WithouFreSpacExt';
const VERSION = 2;
/** QEMU's limits: INT32_MAX / 513 sectors in a cluster, INT_MAX / 4 entries. */
const MAX_CLUSTER_SECTORS = Math.floor((2 ** 31 - 1) / 513);
const MAX_BAT_ENTRIES = Math.floor((2 ** 31 - 1) / 4);
const MAX_DISK_SECTORS = Math.floor(MAX_DISK_BYTES / SECTOR_BYTES);

export interface ParallelsHeader {
  /** Not always a power of two: 63 sectors is a size that early versions used. */
  clusterSectors: number;
  clusterBytes: number;
  batEntries: number;
  /** Sectors that one unit of a BAT entry stands for. */
  batUnitSectors: number;
  diskSectors: number;
  sizeBytes: number;
  inUse: number;
  /** First sector of the data area, worked out where the header leaves it out. */
  dataOffSectors: number;
  /** Sector of the Format Extension cluster as the header has it; 0 = none. Not yet checked. */
  extOffSectors: bigint;
}

/** Throws `ERR_CBT_CORRUPT_IMAGE` or `ERR_CBT_UNSUPPORTED` at the first field that breaks a rule. */
export function parseHeader(where: string, bytes: Buffer, fileBytes: number): ParallelsHeader {
  const magic = bytes.toString('latin1', 0, 16);
  if (magic !== MAGIC_SECTORS && magic !== MAGIC_CLUSTERS) {
    const expected = `"${MAGIC_SECTORS}" or "${MAGIC_CLUSTERS}"`;
    throw faultError(where, corrupt('magic', `0x${bytes.toString('hex', 0, 16)}`, expected));
  }
  const version = bytes.readUInt32LE(16);
  if (version !== VERSION) throw faultError(where, unsupported('version', version, VERSION));
  const clusterSectors = bytes.readUInt32LE(28);
  const batEntries = bytes.readUInt32LE(32);
  const byClusters = magic === MAGIC_CLUSTERS;
  const fault =
    findClusterFault(clusterSectors) ??
    findBatFault(batEntries, fileBytes) ??
    findSizeFault(bytes.readBigUInt64LE(36), byClusters, clusterSectors, batEntries) ??
    findDataOffFault(bytes.readUInt32LE(48), byClusters, clusterSectors, batEntries);
  if (fault !== undefined) throw faultError(where, fault);
  const diskSectors = Number(bytes.readBigUInt64LE(36));
  return {
    clusterSectors,
    clusterBytes: clusterSectors * SECTOR_BYTES,
    batEntries,
    batUnitSectors: byClusters ? clusterSectors : 1,
    diskSectors,
    sizeBytes: diskSectors * SECTOR_BYTES,
    inUse: bytes.readUInt32LE(44),
    dataOffSectors: bytes.readUInt32LE(48) || batEndSectors(batEntries),
    extOffSectors: bytes.readBigUInt64LE(56),
  };
}

function findClusterFault(clusterSectors: number): Fault | undefined {
  if (clusterSectors >= 1 && clusterSectors <= MAX_CLUSTER_SECTORS) return undefined;
  return corrupt('tracks (cluster size in sectors)', clusterSectors, `1 to ${MAX_CLUSTER_SECTORS}`);
}

function findBatFault(batEntries: number, fileBytes: number): Fault | undefined {
  if (batEntries > MAX_BAT_ENTRIES)
    return unsupported('nb_bat_entries', batEntries, `at most ${MAX_BAT_ENTRIES}`);
  const most = Math.floor((fileBytes - HEADER_BYTES) / BAT_ENTRY_BYTES);
  if (batEntries <= most) return undefined;
  return corrupt('nb_bat_entries', batEntries, `at most ${most}, what a file of ${fileBytes} bytes can hold`);
}

function findSizeFault(
  sectors: bigint,
  byClusters: boolean,
  clusterSectors: number,
  batEntries: number,
): Fault | undefined {
  // QEMU drops the upper half here, ploop compares all of it with a bitmap's size: what two readers see as two sizes is
  // no size at all.
  if (!byClusters && sectors > 0xffff_ffffn) {
    return corrupt('nb_sectors', sectors, `at most ${0xffff_ffff} in a "${MAGIC_SECTORS}" image`);
  }
  if (sectors > BigInt(MAX_DISK_SECTORS)) {
    return unsupported('nb_sectors', sectors, `at most ${MAX_DISK_SECTORS}, so that byte offsets stay exact`);
  }
  const needed = Math.ceil(Number(sectors) / clusterSectors);
  if (batEntries >= needed) return undefined;
  return corrupt('nb_bat_entries', batEntries, `at least ${needed} for ${sectors} sectors`);
}

function findDataOffFault(
  dataOff: number,
  byClusters: boolean,
  clusterSectors: number,
  batEntries: number,
): Fault | undefined {
  const least = batEndSectors(batEntries);
  if (byClusters) {
    if (dataOff >= least && dataOff % clusterSectors === 0) return undefined;
    return corrupt(
      'data_off',
      dataOff,
      `a multiple of ${clusterSectors} from ${least} on, the end of the BAT`,
    );
  }
  if (dataOff === 0 || dataOff >= least) return undefined;
  return corrupt('data_off', dataOff, `0, or at least ${least}, the end of the BAT`);
}

function batEndSectors(batEntries: number): number {
  return Math.ceil((HEADER_BYTES + batEntries * BAT_ENTRY_BYTES) / SECTOR_BYTES);
}

/**
 * What breaks the rules for a cluster that the Format Extension claims: behind the data offset, a whole number of clusters
 * from it, all of it in the file.
 */
export function findPlaceFault(
  field: string,
  sector: bigint,
  header: ParallelsHeader,
  fileBytes: number,
): Fault | undefined {
  const first = BigInt(header.dataOffSectors);
  const lastBytes = fileBytes - header.clusterBytes;
  const last = lastBytes < 0 ? -1n : BigInt(Math.floor(lastBytes / SECTOR_BYTES));
  if (sector < first || sector > last) {
    const room = `between data_off and the end of the file (${fileBytes} bytes)`;
    const limit = last < first ? `0: no cluster fits ${room}` : `${first} to ${last}: a cluster ${room}`;
    return corrupt(field, sector, limit);
  }
  if ((sector - first) % BigInt(header.clusterSectors) !== 0n) {
    return corrupt(field, sector, `data_off ${first} plus a multiple of ${header.clusterSectors}`);
  }
  return undefined;
}
