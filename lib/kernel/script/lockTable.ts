/**
 * The kernel's list of file locks, as /proc/locks shows it (Linux fs/locks.c, `lock_get_status`):
 *
 *   1: OFDLCK ADVISORY  READ -1 fe:00:2146420 100 101
 *      kind   mode      type pid major:minor:inode first last byte, or EOF
 *
 * A line whose number is followed by `->` waits for a lock and holds none.
 */

/** Locked bytes [first, last] of a file; last may be Infinity. */
export interface HeldLock {
  firstByte: number;
  lastByte: number;
}

/** Kinds of byte-range locks; whole-file locks (FLOCK, LEASE) live in a space of their own. */
const LINE =
  /^\d+: (?:OFDLCK|POSIX) +\S+ +(?:READ|WRITE) +-?\d+ ([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)$/;

/** A file as the list names it. */
export interface LockedFile {
  major: number;
  minor: number;
  inode: bigint;
}

/** The byte-range locks that somebody holds on the file. */
export function heldLocks(table: string, { major, minor, inode }: LockedFile): HeldLock[] {
  const held: HeldLock[] = [];
  for (const line of table.split('\n')) {
    const fields = LINE.exec(line);
    if (fields === null) continue;
    const [, lineMajor = '', lineMinor = '', lineInode = '', first = '', last = ''] = fields;
    if (Number.parseInt(lineMajor, 16) !== major || Number.parseInt(lineMinor, 16) !== minor) continue;
    if (BigInt(lineInode) !== inode) continue;
    held.push({
      firstByte: Number(first),
      lastByte: last === 'EOF' ? Number.POSITIVE_INFINITY : Number(last),
    });
  }
  return held;
}
