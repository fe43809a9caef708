/**
 * The wiring of "does anybody use this image": QEMU says so by the bytes that it locks in an image for as long as it has it open. Asked
 * before a file is replaced, renamed or removed: a QEMU would go on with a file that has no name any more.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';
import { loadKernel } from '../kernel/load.js';
import { openExclusively } from '../linux/blockDevice.js';
import { onFile } from '../linux/fileFault.js';
import { nameHolder } from '../linux/holders.js';
import { busy } from '../linux/target.js';

/** Throws `BUSY`, naming the holder, where a QEMU program has the image at that path open, and where it cannot be known. */
export async function requireUnused(path: string): Promise<void> {
  await withFile(path, (file) => requireFree(file, path));
}

/** Does the work only where {@link requireUnused} would let it; where locks can be taken no QEMU opens the image meanwhile. */
export async function whileUnused(path: string, work: () => Promise<void>): Promise<void> {
  await withFile(path, async (file) => {
    await holdFree(file, path);
    await work();
  });
}

/**
 * Throws `BUSY`, naming the holder, where a QEMU program keeps the image from being written, or from being read. For work that a QEMU program
 * does, which looks by itself too: where it cannot be known here it is left to that.
 */
export async function requireNoHolder(path: string, to: 'write' | 'read'): Promise<void> {
  await withFile(path, async (file) => {
    const kernel = await loadKernel();
    const lock = await kernel.lockState(file.fd).catch((error: unknown) => {
      if (isUnknown(error)) return null;
      throw error;
    });
    if (lock?.writer || (lock?.writersForbidden && to === 'write'))
      throw await heldBy(file, path, lock.writer);
  });
}

async function withFile(path: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
  await onFile(path, 'asking who uses it', async () => {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      await work(file);
    } finally {
      await file.close();
    }
  });
}

/** As {@link requireUnused}, of a file that is open. */
export async function requireFree(file: FileHandle, path: string): Promise<void> {
  const kernel = await loadKernel();
  const { writer, writersForbidden } = await kernel.lockState(file.fd).catch((error: unknown) => {
    if (!isUnknown(error)) throw error;
    throw busy(
      path,
      `whether a VM uses it cannot be known: ${error.message}; if none does, move or remove it first`,
    );
  });
  if (writer || writersForbidden) throw await heldBy(file, path, writer);
}

/** As {@link requireFree}; and where locks can be taken no QEMU opens it until the file is closed. */
export async function holdFree(file: FileHandle, path: string): Promise<void> {
  await requireFree(file, path);
  const kernel = await loadKernel();
  const held = await kernel.holdImage?.(file.fd).catch((error: unknown) => {
    if (!isUnknown(error)) throw error;
  });
  if (held === false) throw await heldBy(file, path, false);
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

async function heldBy(file: FileHandle, path: string, writer: boolean): Promise<CbtError> {
  const holder = await nameHolder(await file.stat({ bigint: true }));
  return busy(path, `${holder} has it open${writer ? ' for writing' : ''}; end that first`);
}

function isUnknown(error: unknown): error is CbtError {
  return error instanceof CbtError && error.code === 'ERR_CBT_UNSUPPORTED';
}
