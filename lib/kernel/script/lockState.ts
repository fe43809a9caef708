/**
 * Who holds an image open, by the bytes QEMU locks in it (QEMU 7.2 block/file-posix.c: byte 100 + n while permission n is
 * in use, 200 + n while permission n is denied to others; 1 write, 3 resize). Node cannot ask F_OFD_GETLK, so the answer
 * is looked up in /proc/locks, and refused wherever a lock might not be found there.
 */
import { fstat } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { LockState } from '../../core/bitmapKernel.js';
import { CbtError } from '../../core/errors.js';
import { checkFd, ioFailure } from './fileReader.js';
import { heldLocks } from './lockTable.js';

const statOf = promisify(fstat);

const WRITE_HELD = 101;
const RESIZE_HELD = 103;
const WRITE_DENIED = 201;

/**
 * File systems (by their statfs magic, Linux include/uapi/linux/magic.h) that show the same device and inode in fstat and in
 * /proc/locks, and whose locks no other machine can hold. Not btrfs (a device per subvolume), overlayfs (shows the
 * numbers of its layers), nor anything on a network or in user space.
 */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // xfs
  0x01021994, // tmpfs, devtmpfs
  0x858458f6, // ramfs
  0xf2f52010, // f2fs
  0x3153464a, // jfs
  0x2011bab0, // exfat
  0x4d44, // vfat
]);

export async function lockState(fd: number, lockTable = '/proc/locks'): Promise<LockState> {
  checkFd('fd', fd);
  let stat: { dev: bigint; ino: bigint };
  try {
    stat = await statOf(fd, { bigint: true });
  } catch (cause) {
    throw ioFailure('asking for the device of the file', cause);
  }
  await requireLocal(fd);
  const held = heldLocks(await readSettled(lockTable), { ...deviceNumbers(stat.dev), inode: stat.ino });
  const isHeld = (byte: number): boolean =>
    held.some(({ firstByte, lastByte }) => firstByte <= byte && byte <= lastByte);
  return { writer: isHeld(WRITE_HELD) || isHeld(RESIZE_HELD), writersForbidden: isHeld(WRITE_DENIED) };
}

async function requireLocal(fd: number): Promise<void> {
  const path = `/proc/self/fd/${fd}`;
  let type: number;
  try {
    type = (await statfs(path)).type;
  } catch (cause) {
    throw unknowable(`${path} cannot be asked for its file system`, cause);
  }
  // Some 32-bit magics come sign-extended.
  if (!LOCAL_FILE_SYSTEMS.has(type >>> 0)) {
    throw unknowable(`the file is on a file system of type 0x${(type >>> 0).toString(16)}`);
  }
}

/** The two halves of a device number, as glibc's makedev puts them together. */
function deviceNumbers(dev: bigint): { major: number; minor: number } {
  return {
    major: Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n)),
    minor: Number((dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)),
  };
}

/** Readings of a table of which no two in a row were the same, before it is given up. */
const MAX_READINGS = 16;

/**
 * The table at one moment. It is handed out in pieces of a page; when a lock goes away between two pieces, another can
 * slip through the gap unseen. Nothing did when two readings are the same.
 */
async function readSettled(path: string): Promise<string> {
  let previous = await readTable(path);
  for (let readings = 1; readings < MAX_READINGS; readings += 1) {
    const table = await readTable(path);
    if (table === previous) return table;
    previous = table;
  }
  throw unknowable(`${path} changed in each of ${MAX_READINGS} readings`);
}

async function readTable(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (cause) {
    throw unknowable(`${path} cannot be read`, cause);
  }
}

function unknowable(why: string, cause?: unknown): CbtError {
  return new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `who has locked the file cannot be known without the native addon: ${why}`,
    cause === undefined ? {} : { cause },
  );
}
