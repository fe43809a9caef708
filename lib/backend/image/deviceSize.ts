/**
 * The size of a block device, found by reading: a read at or past the end gives nothing. Node has no ioctl, and /sys is
 * not there in every container; about a hundred one-byte reads tell the size on any kernel, exactly.
 */

/** Largest offset that is tried: QEMU's own limit for the length of a node, and exact as a number. */
const LIMIT_BYTES = Number.MAX_SAFE_INTEGER;

/**
 * `reads(offset)` tells whether one byte can be read there. Answers the number of readable bytes, which are taken to be
 * without gaps; null when the device is larger than {@link LIMIT_BYTES}.
 */
export async function findReadableBytes(
  reads: (offsetBytes: number) => Promise<boolean>,
): Promise<number | null> {
  if (!(await reads(0))) return 0;
  let readable = 0;
  let step = 512;
  while (await reads(readable + step)) {
    readable += step;
    step *= 2;
    if (readable + step > LIMIT_BYTES) return null;
  }
  // The last readable byte is in [readable, readable + step).
  let end = readable + step;
  while (end - readable > 1) {
    const middle = readable + Math.floor((end - readable) / 2);
    if (await reads(middle)) readable = middle;
    else end = middle;
  }
  return end;
}
