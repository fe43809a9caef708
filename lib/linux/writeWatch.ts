/**
 * Notices that somebody writes to a file or a block device while it is read, where nothing else would tell. A file shows it in its times.
 * A device does not: it is held, so that nobody mounts it or builds on it, and the kernel counts what reaches it.
 */
import { type FileHandle, readdir, readFile, stat } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';
import { countersOf, openExclusively, uncounted } from './blockDevice.js';
import { onFile } from './fileFault.js';
import { busy, isSame } from './target.js';

export class WriteWatch {
  private constructor(
    private readonly path: string,
    /** Of a device; null for a file. */
    private readonly held: FileHandle | null,
    private readonly before: string,
  ) {}

  /** From here on every write is noticed. `BUSY` where the device, or a device that is made of the file, is in use. */
  static async begin(path: string): Promise<WriteWatch> {
    return onFile(path, 'looking', async () => {
      if (!(await stat(path)).isBlockDevice()) {
        await requireNoLoopDevice(path);
        return new WriteWatch(path, null, await stampOf(path));
      }
      const held = await openExclusively(path);
      try {
        // What was written before, and waits in memory, is not written meanwhile.
        await held.sync();
        return new WriteWatch(path, held, (await countersOf(path)).writes);
      } catch (error) {
        await held.close();
        throw error;
      }
    });
  }

  /** Throws `BUSY` when anything was written since it began. */
  async requireUnwritten(): Promise<void> {
    const { path, held } = this;
    await onFile(path, 'looking', async () => {
      if (held === null) {
        await requireNoLoopDevice(path);
        if ((await stampOf(path)) !== this.before) throw written(path);
        return;
      }
      await held.sync();
      const { reads, writes } = await countersOf(path);
      if (writes !== this.before) throw written(path);
      // All of it was read by now.
      if (reads === '0') throw uncounted(path, 'its driver counts nothing');
    });
  }

  async close(): Promise<void> {
    await this.held?.close();
  }
}

function written(path: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path} was written to while it was read`, {
    disk: path,
    reason: 'BUSY',
    details: { path },
  });
}

/** Tells any write to a file. */
async function stampOf(path: string): Promise<string> {
  const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
  return [size, mtimeNs, ctimeNs, ino].join(' ');
}

/** A file that is a writable device at the same time: what waits in that device's memory is not in the file yet. */
async function requireNoLoopDevice(path: string): Promise<void> {
  const file = await stat(path, { bigint: true });
  for (const name of (await readdir('/sys/block').catch(() => [])).filter((each) =>
    each.startsWith('loop'),
  )) {
    const backing = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => null);
    if (
      backing === null ||
      (await readFile(`/sys/block/${name}/ro`, 'latin1').catch(() => '')).trim() === '1'
    )
      continue;
    const other = await stat(backing.trimEnd(), { bigint: true }).catch(() => null);
    if (other !== null && isSame(file, other))
      throw busy(path, `it is the device /dev/${name}, which may be written; detach that first (losetup -d)`);
  }
}
