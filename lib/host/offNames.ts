/**
 * By which names a disk of a VM that is off is found. Word for word before anything else, and a name that fits two disks is refused,
 * never guessed about: as of a VM that runs (backend/qemu/graph/diskNames.ts).
 *
 *   id         the disk's own name, which no other has
 *   exact      the path of its image
 *   otherwise  the same file or device by another path
 */
import { CbtError, invalidArgument } from '../core/errors.js';
import { fileIdentity } from '../linux/fileIdentity.js';
import type { OffDisk } from './offDisk.js';

/** The disk of that name. `ERR_CBT_INVALID_ARGUMENT` with all that there are, or with those that the name fits. */
export async function findOffDisk(disks: readonly OffDisk[], name: string): Promise<OffDisk> {
  const found = await fitting(disks, name);
  const [first] = found;
  if (first === undefined) {
    const known = disks.map(({ disk }) => disk).join(', ');
    throw invalidArgument('disk', name, `a disk whose image is known while the VM is off: ${known}`);
  }
  if (found.length === 1) return first;
  const list = found.map(({ disk, path }) => (path === disk ? disk : `${disk} (${path})`)).join('; ');
  const message = `${JSON.stringify(name)} fits ${found.length} disks: ${list}`;
  throw new CbtError('ERR_CBT_INVALID_ARGUMENT', message, { disk: name });
}

async function fitting(disks: readonly OffDisk[], name: string): Promise<readonly OffDisk[]> {
  const named = disks.filter(({ disk }) => disk === name);
  if (named.length > 0) return named;
  const exact = disks.filter(({ path }) => path === name);
  if (exact.length > 0) return exact;
  const wanted = await fileIdentity(name);
  if (wanted === null) return [];
  const identities = await Promise.all(disks.map(({ path }) => (path === '' ? null : fileIdentity(path))));
  return disks.filter((_, at) => identities[at] === wanted);
}
