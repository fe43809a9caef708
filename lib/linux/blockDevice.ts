/**
 * Block devices that somebody uses. The kernel lets one holder at a time open a device exclusively: a mount, swap, a volume group, a RAID
 * or a device-mapper table each are one, of the device or of a partition of it.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import { onFile } from './fileFault.js';
import { busy } from './target.js';

/** Opens a block device for as long as nobody else may begin to use it; `BUSY`, with who does, where somebody already is. */
export async function openExclusively(path: string): Promise<FileHandle> {
  return onFile(path, 'opening', () =>
    open(path, constants.O_RDONLY | constants.O_EXCL | constants.O_NONBLOCK).catch(async (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
      throw busy(path, `the device is in use${await usesOf(path)}`, 'EBUSY');
    }),
  );
}

/** Major and minor number as the kernel writes them. */
export function deviceNumber(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** What can be seen of the uses of a device and its partitions, for people. */
async function usesOf(path: string): Promise<string> {
  const { rdev } = await stat(path, { bigint: true });
  const folder = `/sys/dev/block/${deviceNumber(rdev)}`;
  const uses: string[] = [];
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  for (const part of ['.', ...(await list(folder))]) {
    const number = (await readFile(`${folder}/${part}/dev`, 'utf8').catch(() => '')).trim();
    if (number === '') continue;
    for (const line of mounts.split('\n')) {
      const [, , device, , place] = line.split(' ');
      if (device === number) uses.push(`mounted at ${place}`);
    }
    for (const holder of await list(`${folder}/${part}/holders`)) uses.push(`part of ${holder}`);
  }
  return uses.length === 0 ? '' : `: ${uses.join(', ')}`;
}

async function list(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
