/**
 * Block devices that somebody uses. The kernel lets one holder at a time open a device exclusively: a mount, swap, a volume group, a RAID
 * or a device-mapper table each are one, of the device or of a partition of it.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import type { CbtError } from '../core/errors.js';
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

/** What the kernel has counted of what reached a device, whoever asked for it. */
export interface DeviceCounters {
  reads: string;
  /** Sectors written and discarded. The number of writes would count flushes too, ours with them. */
  writes: string;
}

/** Throws where nothing is counted. */
export async function countersOf(path: string): Promise<DeviceCounters> {
  const folder = await statisticsOf(path);
  for (const name of [`${folder}/queue/iostats`, `${folder}/../queue/iostats`]) {
    const isCounted = await readFile(name, 'latin1').catch(() => '');
    if (isCounted.trim() === '0') throw uncounted(path, `${name} is 0, set it to 1`);
  }
  const text = await readFile(`${folder}/stat`, 'latin1').catch((cause: unknown) => {
    throw uncounted(path, `${folder}/stat cannot be read`, cause);
  });
  // Linux Documentation/block/stat.rst; kernels before 4.18 do not count discards.
  const [reads, , , , , , written, , , , , , , discarded = ''] = text.trim().split(/\s+/);
  if (reads === undefined || written === undefined)
    throw uncounted(path, `${folder}/stat is ${JSON.stringify(text)}`);
  return { reads, writes: `${written} ${discarded}` };
}

export function uncounted(path: string, why: string, cause?: unknown): CbtError {
  return busy(path, `whether anybody writes to the device cannot be known: ${why}`, undefined, cause);
}

async function statisticsOf(path: string): Promise<string> {
  const { rdev } = await stat(path, { bigint: true });
  return `/sys/dev/block/${deviceNumber(rdev)}`;
}

/** Major and minor number as the kernel writes them. */
function deviceNumber(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** What can be seen of the uses of a device and its partitions, for people. */
async function usesOf(path: string): Promise<string> {
  const folder = await statisticsOf(path);
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
