/** The wiring of an image: from its path to the backend and kernel that serve it. */
import type { CallOptions } from '../core/callOptions.js';
import { invalidArgument, throwIfAborted } from '../core/errors.js';
import { abortSignal, type Checks, checkOptions, flag, milliseconds, oneOf, text } from '../core/options.js';
import { TrackedDisk } from '../core/trackedDisk.js';
import { within } from '../core/within.js';
import { loadKernel } from '../kernel/load.js';

/** How a disk is opened for questions. */
export interface OpenDiskOptions extends CallOptions {
  /** Format of the image; told from its bytes unless given. Bytes are a guess: what such a file names is not opened. */
  format?: 'qcow2' | 'raw' | 'parallels' | undefined;
  /** Whether formats that only the bytes tell are believed, and what such files name is opened. */
  trust?: boolean | undefined;
  /** Which kernel does the bulk work: the native addon, its script twin, or what loads (the default). */
  kernel?: 'native' | 'script' | 'auto' | undefined;
  /** Live: unix socket of an NBD server that runs in this QEMU already; one is started while it is needed unless given. */
  nbdSocket?: string | undefined;
  /** Live: folder for the socket of that server; that of the system for temporary files unless given. QEMU must see it under the same path. */
  scratchFolder?: string | undefined;
}

const OPEN: Checks<OpenDiskOptions> = {
  format: oneOf('qcow2', 'raw', 'parallels'),
  trust: flag,
  kernel: oneOf('native', 'script', 'auto'),
  nbdSocket: text,
  scratchFolder: text,
  signal: abortSignal,
  timeoutMs: milliseconds,
};

/** Checks what is asked for, before anything is opened. */
export function checkOpen(disk: unknown, options: unknown): void {
  checkOptions('openDisk', options, OPEN);
  if (typeof disk !== 'string' || disk === '' || /[\0\p{Cs}]/u.test(disk))
    throw invalidArgument('disk', disk, 'the path of an image');
}

/** As `openDisk`, of a path: whatever it looks like, it is a file's. */
export async function openImageDisk(path: string, options: OpenDiskOptions = {}): Promise<TrackedDisk> {
  checkOpen(path, options);
  return within('openDisk', options, (own = options) => openOne(path, own));
}

async function openOne(path: string, options: OpenDiskOptions): Promise<TrackedDisk> {
  throwIfAborted(options.signal);
  const kernel = await loadKernel({ kernel: options.kernel ?? 'auto' });
  const { openImage } = await import('../backend/image/imageSource.js');
  const { format, trust, signal } = options;
  const source = await openImage(path, { kernel, format, trust, signal });
  return new TrackedDisk(source, kernel).openDataBy(async (asked) => {
    const { openData } = await import('./data.js');
    return openData({ kind: 'qemu-nbd', file: path, format, trust, readOnly: true }, asked);
  });
}
