/** Opens a disk the way every command does: with the kernel asked for, told under `--verbose`. */
import type { TrackedDisk } from '../core/trackedDisk.js';
import { openDisk } from '../open.js';
import type { CliIo } from './io.js';

export interface OpenOptions {
  format?: 'qcow2' | 'raw' | 'parallels';
  kernel?: 'native' | 'script' | 'auto';
  verbose?: boolean;
}

export async function openForCommand(io: CliIo, disk: string, options: OpenOptions): Promise<TrackedDisk> {
  const { format, kernel } = options;
  const opened = await openDisk(disk, { format, kernel, signal: io.signal });
  if (options.verbose) io.stderr.write(`kernel: ${opened.kernelPath}\n`);
  return opened;
}
