/**
 * How far a lock reaches. On a disk of this machine, and on cluster file systems, everybody who can open the file sees it. Where
 * a file system is shared with other machines but keeps locks to itself, a lock that we got says nothing about them.
 */
import { readFile, stat, statfs } from 'node:fs/promises';
import { isThisMachine, type Machine } from './machine.js';

/** statfs(2)'s f_type of file systems that other machines may write to, and that may not carry flock(2) there. */
const MAY_STAY_HERE: ReadonlySet<number> = new Set([
  0x65735546, // FUSE: sshfs, virtiofs, rclone …
  0xff534d42, // SMB (cifs)
  0xfe534d42, // SMB 2 and 3
  0x517b, // smbfs
  0x01021997, // 9p
  0x786f4256, // VirtualBox
  0x7c7c6673, // Parallels
  0x5346414f, // AFS
  0x6b414653, // kAFS
  0x73757245, // Coda
  0x0bd00bd0, // Lustre
  0x20030528, // OrangeFS
  0x19830326, // BeeGFS
]);
const NFS = 0x6969;

/** Whether other machines may share the file at this path without seeing our locks. */
export async function locksMayStayHere(path: string): Promise<boolean> {
  const { type } = await statfs(path);
  if (type !== NFS) return MAY_STAY_HERE.has(type);
  const { dev } = await stat(path, { bigint: true });
  return !nfsCarriesLocks(await readFile('/proc/self/mountinfo', 'utf8'), deviceNumber(dev));
}

/** Whether what a process of that machine holds at this path could be held although we do not see its lock. */
export async function mayBeUnseen(path: string, machine: Machine): Promise<boolean> {
  return !(await isThisMachine(machine)) && (await locksMayStayHere(path));
}

/** Whether the NFS mount with this device number gives locks to its server; false where it is not listed. */
export function nfsCarriesLocks(mountInfo: string, device: string): boolean {
  const mounts = mountInfo.split('\n').filter((line) => line.split(' ')[2] === device);
  return mounts.length > 0 && !mounts.some((line) => /[ ,](nolock|local_lock=(all|flock))(,|$)/.test(line));
}

/** As mountinfo has it. */
function deviceNumber(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
}
