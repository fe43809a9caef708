/** What kind of file system a folder is on, for people, and whether it is memory. */
import { statfs } from 'node:fs/promises';

/** statfs(2)'s f_type of the usual ones; magic(5) of linux has them. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x794c7630, 'overlay'],
  [0x6969, 'nfs'],
  [0x65735546, 'fuse'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb'],
  [0x00c36400, 'ceph'],
  [0xf2f52010, 'f2fs'],
]);
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** The file system that a folder is on. */
export async function fileSystemOf(folder: string): Promise<{ name: string; inMemory: boolean }> {
  const { type } = await statfs(folder);
  return { name: NAMES.get(type) ?? `file system 0x${type.toString(16)}`, inMemory: IN_MEMORY.has(type) };
}
