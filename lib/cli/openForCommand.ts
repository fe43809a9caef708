/** Opens a disk the way every command does: with the kernel asked for, told under `--verbose`. */
import { invalidArgument } from '../core/errors.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { FormatFlags } from './formatOptions.js';
import { inventoryOf } from './inventory.js';
import type { CliIo } from './io.js';

export interface OpenOptions extends FormatFlags {
  kernel?: 'native' | 'script' | 'auto';
  verbose?: boolean;
  nbdSocket?: string;
  /** Live: a folder that QEMU sees too. */
  scratch?: string;
  session?: string;
}

export async function openForCommand(io: CliIo, disk: string, options: OpenOptions): Promise<TrackedDisk> {
  const { format, trust, kernel, nbdSocket, scratch } = options;
  const { signal } = io;
  const opened =
    options.session === undefined
      ? await inventoryOf(io).openDisk(disk, {
          format,
          trust,
          kernel,
          nbdSocket,
          scratchFolder: scratch,
          signal,
        })
      : await openInstant(io, disk, options.session, options);
  if (options.verbose) io.stderr.write(`kernel: ${opened.kernelPath}\n`);
  return opened;
}

/** The disk as it was at a session's instant; the session goes on. */
async function openInstant(
  io: CliIo,
  name: string,
  session: string,
  { kernel, nbdSocket, scratch }: OpenOptions,
): Promise<TrackedDisk> {
  const { signal } = io;
  const found = await inventoryOf(io).findDisk(name, { signal });
  if ('path' in found)
    throw invalidArgument('disk', name, 'qmp:<QMP socket>#<disk>, or <vm>#<disk>, with --session');
  const vm = await found.vm.connect({ kernel, nbdSocket, scratchFolder: scratch, signal });
  try {
    return (await (await vm.resume(session, { signal })).openDisk(found.disk)).closeWith(vm);
  } catch (error) {
    await vm.close();
    throw error;
  }
}
