/** A folder for files and sockets of ours that QEMU is to use too: only QEMU's user and root can enter it. */
import { rmdir } from 'node:fs/promises';
import path from 'node:path';
import { CbtError } from '../../../core/errors.js';
import type { QemuHost } from '../qemuHost.js';
import { makeMarkedFolder } from './folderMark.js';

/** Makes such a folder below `base`. */
export async function makeOwnFolder(host: QemuHost, base: string, prefix = 'cbt-'): Promise<string> {
  const parent = path.resolve(base);
  let folder: string;
  try {
    folder = await makeMarkedFolder(path.join(parent, prefix));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `no session folder can be made in ${parent}: ${why}`, {
      cause,
    });
  }
  try {
    await host.own(folder);
  } catch (error) {
    // Nobody was told of it.
    await rmdir(folder).catch(() => undefined);
    throw error;
  }
  return folder;
}
