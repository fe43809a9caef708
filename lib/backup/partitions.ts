/**
 * Where on a disk its file systems are: the partitions of an MBR or a GPT, or the disk itself, with what their first bytes say. Everything
 * here was written by a guest: it is bounded, held to the disk, and good for a hint to a person, who mounts it or not.
 */

/** A part of a disk that may be mounted. Bytes. */
export interface Partition {
  /** From 1; 0 for the whole disk, where it has no table. */
  number: number;
  offset: number;
  length: number;
  /** `ext4` (and older ones), `xfs`, `btrfs`, `ntfs`, `vfat`, `lvm`, `luks`, `swap`; null where it is none of these. */
  kind: string | null;
}

type Read = (offset: number, length: number) => Promise<Buffer>;

const SECTOR = 512;
/** Numbers that are told, of all tables of a disk together. */
const MAX_PARTITIONS = 128;
const MAX_TABLE_BYTES = 1 << 20;
const EXTENDED = new Set([0x05, 0x0f, 0x85]);
/** What a GPT calls itself in an MBR, for programs that know no GPT. */
const PROTECTIVE = 0xee;

/** The partitions, by their numbers; of a disk without a table the whole of it, where it holds a file system. */
export async function findPartitions(read: Read, sizeBytes: number): Promise<Partition[]> {
  const within = async (offset: number, length: number): Promise<Buffer> =>
    offset < 0 || length <= 0 || offset + length > sizeBytes
      ? Buffer.alloc(Math.max(0, length))
      : read(offset, length);
  const found = (await readGpt(within)) ?? (await readMbr(within));
  const parts = found.filter(
    ({ offset, length }) => offset > 0 && length > 0 && offset + length <= sizeBytes,
  );
  if (parts.length === 0) {
    const kind = await kindOf(within, 0, sizeBytes);
    return kind === null ? [] : [{ number: 0, offset: 0, length: sizeBytes, kind }];
  }
  const told: Partition[] = [];
  for (const part of parts) told.push({ ...part, kind: await kindOf(within, part.offset, part.length) });
  return told;
}

interface Place {
  number: number;
  offset: number;
  length: number;
}

/** Null where there is no GPT; its second copy is not looked for. */
async function readGpt(read: Read): Promise<Place[] | null> {
  for (const sector of [SECTOR, 4096]) {
    const head = await read(sector, SECTOR);
    if (head.toString('latin1', 0, 8) !== 'EFI PART') continue;
    const [count, entryBytes] = [head.readUInt32LE(80), head.readUInt32LE(84)];
    const at = Number(head.readBigUInt64LE(72)) * sector;
    if (
      count > MAX_PARTITIONS * 8 ||
      entryBytes < 128 ||
      entryBytes % 8 !== 0 ||
      count * entryBytes > MAX_TABLE_BYTES
    )
      return [];
    const table = await read(at, Math.min(count, MAX_PARTITIONS) * entryBytes);
    const places: Place[] = [];
    for (let i = 0; (i + 1) * entryBytes <= table.length; i += 1) {
      const entry = table.subarray(i * entryBytes, (i + 1) * entryBytes);
      if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
      const first = Number(entry.readBigUInt64LE(32));
      const last = Number(entry.readBigUInt64LE(40));
      places.push({ number: i + 1, offset: first * sector, length: (last - first + 1) * sector });
    }
    return places;
  }
  return null;
}

async function readMbr(read: Read): Promise<Place[]> {
  const places: Place[] = [];
  // Logical ones are counted on where an MBR has several extended partitions: no number twice, and an end.
  let number = 5;
  for (const { index, type, first, count } of entriesOf(await read(0, SECTOR))) {
    if (type === PROTECTIVE) continue;
    if (!EXTENDED.has(type)) {
      places.push({ number: index + 1, offset: first * SECTOR, length: count * SECTOR });
      continue;
    }
    // A list: each table has one logical partition, and where the next table is, both counted from elsewhere.
    let next = first;
    for (; number <= MAX_PARTITIONS; number += 1) {
      const [logical, link] = entriesOf(await read(next * SECTOR, SECTOR));
      if (logical === undefined) break;
      places.push({ number, offset: (next + logical.first) * SECTOR, length: logical.count * SECTOR });
      if (link === undefined || !EXTENDED.has(link.type)) {
        number += 1;
        break;
      }
      next = first + link.first;
    }
  }
  return places.sort((a, b) => a.number - b.number);
}

function entriesOf(sector: Buffer): { index: number; type: number; first: number; count: number }[] {
  if (sector.length < SECTOR || sector.readUInt16LE(510) !== 0xaa55) return [];
  return [0, 1, 2, 3]
    .map((index) => {
      const at = 446 + 16 * index;
      const type = sector[at + 4] ?? 0;
      return { index, type, first: sector.readUInt32LE(at + 8), count: sector.readUInt32LE(at + 12) };
    })
    .filter(({ type, count }) => type !== 0 && count > 0);
}

/** Text at a place in the first bytes that says what it is. */
const SIGNS: readonly [kind: string, at: number, text: string][] = [
  ['ext4', 1080, '\x53\xef'],
  ['xfs', 0, 'XFSB'],
  ['ntfs', 3, 'NTFS    '],
  ['vfat', 82, 'FAT32   '],
  ['vfat', 54, 'FAT1'],
  ['lvm', 512, 'LABELONE'],
  ['luks', 0, 'LUKS\xba\xbe'],
  ['swap', 4086, 'SWAPSPACE2'],
  ['btrfs', 65_600, '_BHRfS_M'],
];
const LOOKED_AT = 68 * 1024;

async function kindOf(read: Read, offset: number, length: number): Promise<string | null> {
  const bytes = await read(offset, Math.min(LOOKED_AT, length));
  const found = SIGNS.find(([, at, text]) => bytes.toString('latin1', at, at + text.length) === text);
  return found?.[0] ?? null;
}
