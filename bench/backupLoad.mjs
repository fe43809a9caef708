// What a backup bench copies, the same for every peer: a disk of 20 GiB that holds 4 GiB of data, of which 5 % then change;
// and the end of a copy, which is on stable storage whoever made it.
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export const GiB = 2 ** 30;
export const MiB = 2 ** 20;
export const DISK_BYTES = 20 * GiB;
/** The disk holds this much data, in its first part and far in. */
export const DATA_BYTES = 4 * GiB;
/** 5 % of the disk: 1 MiB in every 20. */
export const CHANGED_BYTES = DISK_BYTES / 20;

/** Commands of qemu-io that give the disk its data. */
export function fillCommands() {
  const commands = [];
  for (let at = 0; at < DATA_BYTES / 2; at += 16 * MiB) {
    commands.push(`write -P ${1 + ((at / MiB) % 200)} ${at} 16M`);
    commands.push(`write -P ${2 + ((at / MiB) % 200)} ${DISK_BYTES / 2 + at} 16M`);
  }
  return commands;
}

/** Commands of qemu-io that change CHANGED_BYTES of it. */
export function changeCommands(pattern) {
  const commands = [];
  for (let at = 0; at < DISK_BYTES; at += 20 * MiB) commands.push(`write -P ${pattern} ${at} 1M`);
  return commands;
}

/** What a copy wrote is on stable storage afterwards. */
export async function sync(path) {
  const file = await open(path, 'r');
  await file.sync();
  await file.close();
}

/** Files of a folder and of those in it. */
async function filesIn(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.path, entry.name));
}

export async function syncFolder(folder) {
  for (const file of await filesIn(folder)) await sync(file);
}

/** Bytes that the files of a folder take on its file system. */
export async function allocatedBytes(folder) {
  let bytes = 0;
  for (const file of await filesIn(folder)) bytes += 512 * (await stat(file)).blocks;
  return bytes;
}
