/**
 * The command line of a qemu-nbd that serves one image. The image goes in as QEMU's `json:` form: its path can then be
 * anything (commas, colons, a leading dash), its format is said and never guessed from bytes a guest wrote, and every file
 * of its stack is named, so that QEMU follows no header. The socket comes from libnbd (systemd socket activation).
 */
import { invalidArgument } from '../../core/errors.js';

/** An image, and what a qemu-nbd of our own is to offer of it. */
export interface QemuNbdImage extends QemuNbdOffer {
  /** Path of the image file or block device. */
  file: string;
  /**
   * Format as QEMU names it: qcow2, raw, parallels. Told from the bytes unless given; then nothing that the image names is
   * opened.
   */
  format?: string | undefined;
  /** Whether formats that only the bytes tell are believed, and what such files name is opened. */
  trust?: boolean | undefined;
  /** Leaves what lies below out: what this layer has not got reads as zeros. */
  withoutBacking?: boolean | undefined;
}

/** What a qemu-nbd of our own offers of an image. */
export interface QemuNbdOffer {
  /** Served read-only unless `false`. */
  readOnly?: boolean | undefined;
  /** Dirty bitmaps to offer as contexts `qemu:dirty-bitmap:NAME`; frozen ones only when the image is writable. */
  bitmaps?: readonly string[] | undefined;
  /** Offers the context `qemu:allocation-depth`. */
  allocationDepth?: boolean | undefined;
  /** Others may connect beside us; it ends when the last has left. */
  shared?: boolean | undefined;
  /** qemu-nbd's path; else the environment variable QEMU_NBD, else from PATH. */
  program?: string | undefined;
}

/** An image as QEMU is told it, every file by its driver and path. */
export interface QemuNbdNode extends QemuNbdOffer {
  /** What the image is called in messages. */
  file: string;
  node: object;
}

export function qemuNbdCommand(served: QemuNbdNode): string[] {
  const { node, readOnly = true, bitmaps = [], allocationDepth = false, shared = false } = served;
  if (typeof node !== 'object' || node === null)
    throw invalidArgument('node', node, 'an image as QEMU is told it');
  return [
    served.program ?? (process.env['QEMU_NBD'] || 'qemu-nbd'),
    ...(readOnly ? ['--read-only'] : ['--discard=unmap']),
    ...bitmaps.map((name) => `--bitmap=${name}`),
    ...(allocationDepth ? ['--allocation-depth'] : []),
    ...(shared ? ['--shared=0'] : []),
    `json:${JSON.stringify(node)}`,
  ];
}
