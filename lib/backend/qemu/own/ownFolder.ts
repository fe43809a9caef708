/** A folder for files and sockets of ours that QEMU is to use too: only QEMU's user and root can enter it. */
import { chmod, chown, mkdtemp, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { CbtError } from '../../../core/errors.js';
import { placeOf, seesTheSame } from '../qemuPlace.js';

/** Makes such a folder below `base`. */
export async function makeOwnFolder(vmSocket: string, base: string, prefix = 'cbt-'): Promise<string> {
  const parent = path.resolve(base);
  let folder: string;
  try {
    folder = await mkdtemp(path.join(parent, prefix));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `no session folder can be made in ${parent}: ${why}`, {
      cause,
    });
  }
  await giveToQemu(folder, vmSocket);
  return folder;
}

/** Makes a new, empty folder QEMU's, for it and root alone; one that QEMU cannot see is removed, and that is said. */
export async function giveToQemu(folder: string, vmSocket: string): Promise<void> {
  const place = await placeOf(vmSocket);
  if (place !== null && (await seesTheSame(place, folder)) === false) {
    const parent = path.dirname(folder);
    await rmdir(folder);
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `QEMU (process ${place.pid}) has other files at ${parent} than this command has, as in a container: name a folder that both have under the same path (--scratch)`,
      { details: { folder: parent } },
    );
  }
  // It must be QEMU's, or QEMU could not enter it. The monitor's socket belongs to whom it runs as, as a rule.
  const owner = place ?? (await stat(vmSocket).catch(() => null));
  const gid = place?.gids[0] ?? (owner as { gid?: number } | null)?.gid ?? 0;
  if (owner !== null && process.getuid?.() === 0 && owner.uid !== 0) await chown(folder, owner.uid, gid);
  await chmod(folder, 0o700);
}
