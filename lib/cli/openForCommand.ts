/** Opens a disk the way every command does: with the kernel asked for, told under `--verbose`. */
import type { TrackedDisk } from '../core/trackedDisk.js';
import { openDisk, parseQmpName } from '../host/open.js';
import { connectVm } from '../host/vm.js';
import type { FormatFlags } from './formatOptions.js';
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
  const opened =
    options.session === undefined
      ? await openDisk(disk, { format, trust, kernel, nbdSocket, scratch, signal: io.signal })
      : await openInstant(disk, options.session, options, io.signal);
  if (options.verbose) io.stderr.write(`kernel: ${opened.kernelPath}\n`);
  return opened;
}

/** The disk as it was at a session's instant; the session goes on. */
async function openInstant(
  name: string,
  session: string,
  { kernel, nbdSocket, scratch }: OpenOptions,
  signal: AbortSignal,
): Promise<TrackedDisk> {
  const { socket, disk } = parseQmpName(name);
  const vm = await connectVm(socket, { kernel, nbdSocket, scratch, signal });
  try {
    return (await (await vm.resume(session, { signal })).openDisk(disk)).closeWith(vm);
  } catch (error) {
    await vm.close();
    throw error;
  }
}
