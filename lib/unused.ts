/**
 * The wiring of "does anybody use this image": QEMU says so by the bytes that it locks in an image for as long as it has it open. Asked
 * before a file is replaced, renamed or removed: a QEMU would go on with a file that has no name any more.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CbtError } from './core/errors.js';
import { loadKernel } from './kernel/load.js';
import { openExclusively } from './linux/blockDevice.js';
import { onFile } from './linux/fileFault.js';
import { nameHolder } from './linux/holders.js';

/** Throws `BUSY`, naming the holder, where a QEMU program has the image at that path open, and where it cannot be known. */
export async function requireUnused(path: string): Promise<void> {
  await onFile(path, 'asking who uses it', async () => {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      await requireFree(file, path);
    } finally {
      await file.close();
    }
  });
}

/** As {@link requireUnused}, of a file that is open. */
export async function requireFree(file: FileHandle, path: string): Promise<void> {
  const kernel = await loadKernel();
  const { writer, writersForbidden } = await kernel.lockState(file.fd).catch((cause: unknown) => {
    if (!(cause instanceof CbtError) || cause.code !== 'ERR_CBT_UNSUPPORTED') throw cause;
    throw inUse(
      path,
      `whether a VM uses it cannot be known: ${cause.message}; if none does, move or remove it first`,
    );
  });
  if (!writer && !writersForbidden) return;
  const holder = await nameHolder(await file.stat({ bigint: true }));
  throw inUse(path, `${holder} has it open${writer ? ' for writing' : ''}; end that first`);
}

/**
 * Opens a block device so that nobody else can mount it or build on it until it is closed; `BUSY` where somebody has, and where a QEMU
 * program has it open.
 */
export async function holdUnusedDevice(path: string): Promise<FileHandle> {
  const device = await openExclusively(path);
  try {
    await requireFree(device, path);
    return device;
  } catch (error) {
    await device.close();
    throw error;
  }
}

function inUse(path: string, why: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path} stays as it is: ${why}`, {
    reason: 'BUSY',
    details: { path },
  });
}
