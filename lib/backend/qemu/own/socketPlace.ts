/**
 * Where a session has its NBD server: on a socket in its folder. Not every file system holds sockets (vfat, many mounts of FUSE, SMB),
 * and the path of one has 107 bytes at most: then in a folder of its own below /tmp, whose name follows from the session's folder,
 * so that whoever knows that finds it without the record.
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, rm, rmdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { CbtError } from '../../../core/errors.js';
import { MAX_SOCKET_PATH_BYTES } from '../../../linux/unixSocket.js';
import type { QemuHost } from '../qemuHost.js';

const SOCKET = 'nbd.sock';

/** The socket in the session's folder. */
export function socketInside(folder: string): string {
  return path.join(folder, SOCKET);
}

/** The socket of a session whose folder cannot have it. */
export function socketElsewhere(folder: string): string {
  return path.join(folderElsewhere(folder), SOCKET);
}

/** Chooses the place, and makes it ready for QEMU. */
export async function placeOfSocket(folder: string, host: QemuHost): Promise<string> {
  if (await canHold(socketInside(folder))) return socketInside(folder);
  const elsewhere = folderElsewhere(folder);
  try {
    // Made here and by nobody else: another's folder of that name would be his to look into.
    await mkdir(elsewhere, { mode: 0o700 });
    await host.own(elsewhere);
  } catch (cause) {
    await rmdir(folder).catch(() => undefined);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${folder} cannot hold the session's socket (its path is too long, or its file system has no sockets), and ${elsewhere} cannot be made for it: ${why}`,
      { details: { folder }, cause },
    );
  }
  return socketElsewhere(folder);
}

/** Removes what {@link placeOfSocket} made beside the session's folder. */
export async function removeSocketElsewhere(folder: string): Promise<void> {
  const elsewhere = folderElsewhere(folder);
  const found = await lstat(elsewhere).catch(() => null);
  if (found?.isDirectory() !== true) return;
  await rm(path.join(elsewhere, SOCKET), { force: true }).catch(() => undefined);
  await rmdir(elsewhere).catch(() => undefined);
}

function folderElsewhere(folder: string): string {
  const name = createHash('sha256').update(path.resolve(folder)).digest('hex').slice(0, 24);
  return `/tmp/cbt-s-${name}`;
}

/** Tried by listening there for a moment. */
async function canHold(socket: string): Promise<boolean> {
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES) return false;
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(socket, () => server.close(() => resolve(true)));
  });
}
