/**
 * The command line of a qemu-nbd that serves one image. The image goes in as QEMU's `json:` form: its path can then be
 * anything (commas, colons, a leading dash), its format is said and never guessed from bytes a guest wrote, and nothing
 * but a local file or device is opened for it. The socket comes from libnbd (systemd socket activation).
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CbtError, invalidArgument } from '../../core/errors.js';

/** An image, and what a qemu-nbd of our own is to offer of it. */
export interface QemuNbdImage {
  /** Path of the image file or block device. */
  file: string;
  /** Format as QEMU names it: qcow2, raw, parallels. */
  format: string;
  /** Served read-only unless `false`. */
  readOnly?: boolean;
  /** Dirty bitmaps to offer as contexts `qemu:dirty-bitmap:NAME`; frozen ones only when the image is writable. */
  bitmaps?: readonly string[];
  /** Offers the context `qemu:allocation-depth`. */
  allocationDepth?: boolean;
  /** Leaves the backing chain out: what this layer has not got reads as zeros. */
  withoutBacking?: boolean;
  /** qemu-nbd's path; else the environment variable QEMU_NBD, else from PATH. */
  program?: string;
}

const FORMAT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;

export async function qemuNbdCommand(image: QemuNbdImage): Promise<string[]> {
  const {
    file,
    format,
    readOnly = true,
    bitmaps = [],
    allocationDepth = false,
    withoutBacking = false,
  } = image;
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw invalidArgument('file', file, 'the path of an image');
  }
  if (typeof format !== 'string' || !FORMAT.test(format)) {
    throw invalidArgument('format', format, 'a format as QEMU names it, such as qcow2 or raw');
  }
  const path = resolve(file);
  const node = {
    driver: format,
    ...(withoutBacking && { backing: null }),
    file: { driver: await protocolOf(path), filename: path },
  };
  return [
    image.program ?? (process.env['QEMU_NBD'] || 'qemu-nbd'),
    ...(readOnly ? ['--read-only'] : ['--discard=unmap']),
    ...bitmaps.map((name) => `--bitmap=${name}`),
    ...(allocationDepth ? ['--allocation-depth'] : []),
    `json:${JSON.stringify(node)}`,
  ];
}

/** QEMU's driver for what the path names. */
async function protocolOf(path: string): Promise<'file' | 'host_device'> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${path} cannot be opened: ${cause.code ?? cause.message}`,
      {
        disk: path,
        details: { errno: cause.code ?? null },
        cause,
      },
    );
  });
  if (found.isFile()) return 'file';
  if (found.isBlockDevice()) return 'host_device';
  throw new CbtError('ERR_CBT_UNSUPPORTED', `${path} is neither a file nor a block device`, { disk: path });
}
