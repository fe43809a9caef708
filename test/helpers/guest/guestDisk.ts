/** Disks for the guest: images with a file system that the host has made. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { qemuImg } from '../qemuProcess.js';
import { e2fsprogs } from './e2fsprogs.js';
import type { GuestDisk } from './guest.js';

/** Makes a disk of each name in the folder. */
export async function makeGuestDisks(folder: string, names: readonly string[]): Promise<GuestDisk[]> {
  const disks = names.map((name) => ({ name, file: path.join(folder, `${name}.qcow2`) }));
  for (const { file } of disks) await makeGuestDisk(file);
  return disks;
}

/** Makes a qcow2 image with an empty ext4 file system on it. */
export async function makeGuestDisk(file: string, size = '40M'): Promise<void> {
  const raw = `${file}.raw`;
  await qemuImg(['create', '-q', '-f', 'raw', raw, size]);
  // Everything is written now: a guest that still fills in tables would blur what the test itself makes it write.
  const options = 'lazy_itable_init=0,lazy_journal_init=0,nodiscard';
  await e2fsprogs('mkfs.ext4', ['-q', '-F', '-b', '4096', '-E', options, '-J', 'size=4', raw]);
  await qemuImg(['convert', '-f', 'raw', '-O', 'qcow2', raw, file]);
  await rm(raw);
}
