/** The one wiring place: from what a caller names to the backend and kernel that serve it. */
import { invalidArgument } from '../core/errors.js';
import { abortSignal, type Checks, checkOptions, flag, oneOf, text } from '../core/options.js';
import { TrackedDisk } from '../core/trackedDisk.js';
import { loadKernel } from '../kernel/load.js';
import { parseQmpName } from './diskName.js';
import { connectVm } from './vm.js';

/** How a disk is opened for questions. */
export interface OpenDiskOptions {
  /** Format of the image; told from its bytes unless given. Bytes are a guess: what such a file names is not opened. */
  format?: 'qcow2' | 'raw' | 'parallels' | undefined;
  /** Whether formats that only the bytes tell are believed, and what such files name is opened. */
  trust?: boolean | undefined;
  /** Which kernel does the bulk work: the native addon, its script twin, or what loads (the default). */
  kernel?: 'native' | 'script' | 'auto' | undefined;
  /** Live: unix socket of an NBD server that runs in this QEMU already; one is started while it is needed unless given. */
  nbdSocket?: string | undefined;
  /** Live: folder for the socket of that server; that of the system for temporary files unless given. QEMU must see it under the same path. */
  scratch?: string | undefined;
  signal?: AbortSignal | undefined;
}

const OPEN: Checks<OpenDiskOptions> = {
  format: oneOf('qcow2', 'raw', 'parallels'),
  trust: flag,
  kernel: oneOf('native', 'script', 'auto'),
  nbdSocket: text,
  scratch: text,
  signal: abortSignal,
};

/**
 * Opens a disk for questions. `disk` is the path of a qcow2 or raw image, of a Parallels `.hds` file or `.hdd` folder,
 * which is only ever read; or `qmp:<socket>#<disk>`, a disk of a running QEMU by any of its names. Refuses with `ERR_CBT_BACKEND_UNAVAILABLE` and reason `BUSY` when a running QEMU holds the
 * image for writing: its bitmaps are then in that process, not in the file.
 */
export async function openDisk(disk: string, options: OpenDiskOptions = {}): Promise<TrackedDisk> {
  checkOptions('openDisk', options, OPEN);
  if (typeof disk !== 'string' || disk === '' || /[\0\p{Cs}]/u.test(disk)) {
    throw invalidArgument('disk', disk, 'the path of an image');
  }
  if (disk.startsWith('qmp:')) return openLive(disk, options);
  const kernel = await loadKernel({ kernel: options.kernel ?? 'auto' });
  const { openImage } = await import('../backend/image/imageSource.js');
  const { format, trust, signal } = options;
  const source = await openImage(disk, { kernel, format, trust, signal });
  return new TrackedDisk(source, kernel);
}

async function openLive(name: string, options: OpenDiskOptions): Promise<TrackedDisk> {
  const { socket, disk } = parseQmpName(name);
  if (disk === '') throw invalidArgument('disk', name, 'qmp:<QMP socket>#<disk>');
  const { signal, kernel, nbdSocket, scratch } = options;
  const vm = await connectVm(socket, { signal, kernel, nbdSocket, scratch });
  try {
    return (await vm.openDisk(disk, { signal })).closeWith(vm);
  } catch (error) {
    await vm.close();
    throw error;
  }
}
