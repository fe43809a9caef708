/**
 * One entry of a qcow2 L2 table, and what it says; QEMU docs/interop/qcow2.txt, "Cluster mapping" and "Extended L2
 * Entries", and `qcow2_get_subcluster_type` in QEMU's block/qcow2.h. Words are taken as two halves of 32 bits.
 */

/** Bit n: subcluster n. In an image without subclusters all 32 bits are the same. */
export interface L2Meaning {
  data: number;
  allocated: number;
}

export interface L2Rules {
  clusterBytes: number;
  extendedL2: boolean;
  version: 2 | 3;
  externalData: boolean;
  fileBytes: number;
}

export interface L2Entry {
  high: number;
  low: number;
  /** The second word of an extended entry: bits 32-63 zeros, bits 0-31 data; else 0. */
  zeros: number;
  stored: number;
  /** Where the guest sees the cluster. */
  guestBytes: number;
}

const COPIED = 0x80000000; // of the high half
const COMPRESSED = 0x40000000;
const RESERVED_HIGH = 0x3f000000;
const OFFSET_HIGH = 0x00ffffff;
const ZERO = 0x00000001; // of the low half
const RESERVED_LOW = 0x000001fe;
const OFFSET_LOW = 0xfffffe00;

export const ALL_SUBCLUSTERS = 0xffffffff;
const UNALLOCATED: L2Meaning = { data: 0, allocated: 0 };
const ZEROS: L2Meaning = { data: 0, allocated: ALL_SUBCLUSTERS };
const DATA: L2Meaning = { data: ALL_SUBCLUSTERS, allocated: ALL_SUBCLUSTERS };

/** What the entry means, or in words what is wrong with it. */
export function readL2Entry(rules: L2Rules, entry: L2Entry): L2Meaning | string {
  const { high, low, zeros, stored, guestBytes } = entry;
  if (high & COMPRESSED) {
    if (rules.externalData) return 'it is compressed, but the image has an external data file';
    if (zeros !== 0 || stored !== 0) return 'it is compressed, but has subclusters';
    return DATA;
  }
  if (high & RESERVED_HIGH || low & RESERVED_LOW) return 'it has reserved bits set';
  const zero = (low & ZERO) !== 0;
  if (zero && rules.version < 3) return 'it has a zero flag, which version 2 does not know';
  if (zero && rules.extendedL2) return 'it has a zero flag, where its subclusters have one each';

  // From 2^53 on this is no longer exact, but still 2^53 or more, which no file and no disk reaches.
  const hostBytes = (high & OFFSET_HIGH) * 2 ** 32 + ((low & OFFSET_LOW) >>> 0);
  // The low half is exact, and no cluster is larger than it can tell.
  if ((low & OFFSET_LOW & (rules.clusterBytes - 1)) !== 0) {
    return `its host offset is not a multiple of the cluster size ${rules.clusterBytes}`;
  }
  // The image's header is at offset 0, so 0 means "none"; in a data file it is a cluster like any other, and the copied
  // flag tells the two apart.
  const copiedAtZero = rules.externalData && (high & COPIED) !== 0 && !zero;
  const hasHost = hostBytes !== 0 || copiedAtZero;
  if (rules.externalData) {
    if (hasHost && hostBytes !== guestBytes)
      return 'its offset in the external data file is not the guest offset';
  } else if (hasHost && hostBytes >= rules.fileBytes) {
    return `its host cluster lies past the end of the file (${rules.fileBytes} bytes)`;
  }

  if (!rules.extendedL2) {
    if (zero) return ZEROS;
    return hasHost ? DATA : UNALLOCATED;
  }
  if ((stored & zeros) !== 0) return 'it has subclusters that are both data and zeros';
  if (stored !== 0 && !hasHost) return 'it has subclusters with data, but no host cluster';
  return { data: stored >>> 0, allocated: (stored | zeros) >>> 0 };
}
