/**
 * Opening an image file as a block node of a QEMU, and what its refusal means.
 */
import { stat } from 'node:fs/promises';
import { CbtError } from '../../core/errors.js';
import type { WaitOptions } from '../../linux/waiting.js';
import type { ImageNode } from '../image/imageNode.js';
import { qmp } from './qmp/commands.js';
import { isHeld, QmpCommandError } from './qmp/qmpError.js';
import type { QmpPort } from './qmp/qmpPort.js';

export interface ImageToOpen {
  path: string;
  /** 1 to 31 characters, a letter first. */
  nodeName: string;
  readOnly?: boolean | undefined;
  /**
   * The image with all that is below it, so that QEMU follows no header. A qcow2 image alone unless given: enough for
   * bitmaps, and what is not allocated in it then reads as zeros.
   */
  node?: ImageNode | undefined;
}

/** blockdev-add for an image. Errors name the file: BUSY when somebody holds it, CORRUPT_IMAGE, or out of reach. */
export async function addImage(client: QmpPort, image: ImageToOpen, options?: WaitOptions): Promise<void> {
  const readOnly = image.readOnly ?? false;
  const { file, ...node } = image.node ?? (await aloneNode(image.path));
  const opened = { ...node, 'node-name': image.nodeName, 'read-only': readOnly };
  try {
    await qmp(client, 'blockdev-add', { ...opened, file: { ...file, 'read-only': readOnly } }, options);
  } catch (error) {
    throw error instanceof QmpCommandError ? cannotOpen(image.path, error) : error;
  }
}

async function aloneNode(file: string): Promise<ImageNode> {
  // As it is written: ".." behind a symbolic link is the kernel's to follow.
  const filename = file.startsWith('/') ? file : `${process.cwd()}/${file}`;
  const driver = (await isBlockDevice(filename)) ? 'host_device' : 'file';
  return { driver: 'qcow2', file: { driver, filename }, backing: null };
}

function cannotOpen(filename: string, error: QmpCommandError): CbtError {
  const { description } = error;
  const options = { disk: filename, details: error.details, cause: error };
  if (isHeld(description)) {
    const message = `${filename} is in use by another process (QEMU: ${description})`;
    return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { ...options, reason: 'BUSY' });
  }
  const message = `QEMU cannot open ${filename}: ${description}`;
  if (/Could not open '/.test(description))
    return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, options);
  if (/unsupported|not supported/i.test(description)) {
    return new CbtError('ERR_CBT_UNSUPPORTED', message, { ...options, reason: 'FORMAT' });
  }
  const broken =
    /not in \S+ format|corrupt|invalid|inconsistent|exceeds|too (large|small|big)|not aligned|Could not read/i;
  return new CbtError(
    broken.test(description) ? 'ERR_CBT_CORRUPT_IMAGE' : 'ERR_CBT_BACKEND_UNAVAILABLE',
    message,
    options,
  );
}

/** QEMU opens block devices with a driver of their own. A file that is not there is left for QEMU to complain about. */
async function isBlockDevice(filename: string): Promise<boolean> {
  try {
    return (await stat(filename)).isBlockDevice();
  } catch {
    return false;
  }
}
