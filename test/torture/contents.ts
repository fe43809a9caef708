/** What a disk holds, a value a sector: small enough to keep for every instant, and to compare to the byte. */

export const SECTOR = 512;

/** The bytes that such a disk reads as. */
export function bytesOf(sectors: Uint8Array): Buffer {
  const bytes = Buffer.alloc(sectors.length * SECTOR);
  for (let at = 0; at < sectors.length; ) {
    const value = sectors[at] ?? 0;
    let end = at + 1;
    while (end < sectors.length && sectors[end] === value) end += 1;
    if (value !== 0) bytes.fill(value, at * SECTOR, end * SECTOR);
    at = end;
  }
  return bytes;
}

/** Throws where the bytes are not those. */
export function expectContents(bytes: Buffer, sectors: Uint8Array, what: string): void {
  const wanted = bytesOf(sectors);
  if (bytes.equals(wanted)) return;
  if (bytes.length !== wanted.length)
    throw new Error(`${what}: ${bytes.length} bytes instead of ${wanted.length}`);
  const at = bytes.findIndex((byte, index) => byte !== wanted[index]);
  throw new Error(`${what}: byte ${at} is ${bytes[at]} instead of ${wanted[at]}`);
}

/** The first sector of `now` that is another than then, or was not there, and lies in none of the areas; -1 if there is none. */
export function firstMissed(
  then: Uint8Array,
  now: Uint8Array,
  areas: readonly { start: number; length: number }[],
): number {
  let next = 0;
  for (let sector = 0; sector < now.length; sector += 1) {
    if (then[sector] === now[sector]) continue;
    const [from, to] = [sector * SECTOR, (sector + 1) * SECTOR];
    for (; next < areas.length; next += 1) {
      const { start, length } = areas[next] as { start: number; length: number };
      if (start + length >= to) break;
    }
    const area = areas[next];
    if (area === undefined || area.start > from) return sector;
  }
  return -1;
}

/** The same disk, longer by zeros or cut. */
export function resized(sectors: Uint8Array, count: number): Uint8Array {
  const other = new Uint8Array(count);
  other.set(sectors.subarray(0, count));
  return other;
}
