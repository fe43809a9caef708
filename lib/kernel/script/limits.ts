/** The limits that both kernels hold themselves to; the port in core/bitmapKernel.ts tells them. */

/** Bitmaps of one query; QEMU allows 65535 in an image (docs/interop/qcow2.txt, "Bitmaps extension"). */
export const MAX_SEGMENTS = 65535;

/** Bytes of a bitmap cluster: a sector, up to what a 32-bit number of sectors can say. */
export const MIN_CLUSTER_BYTES = 512;
export const MAX_CLUSTER_BYTES = 2 ** 41;

/** qcow2 clusters; extended L2 entries need 32 subclusters of at least a sector each. */
export const MIN_CLUSTER_BITS = 9;
export const MIN_EXTENDED_CLUSTER_BITS = 14;
export const MAX_CLUSTER_BITS = 21;

/** One answer: 2^28 ranges of two 8-byte numbers, or as many bytes of bits. */
export const MAX_ANSWER_BYTES = 2 ** 32;

/** Bytes read from a file at once. */
export const READ_BYTES = 256 * 1024;
