/** Whether the image of a disk is what its QEMU takes it for, as far as the file tells (backend/image/qcow2/strangersWrite.ts). */
import { CbtError } from '../../../core/errors.js';
import { findUnmarkedBitmap } from '../../image/qcow2/strangersWrite.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import type { TrackableDisk } from './vmDisk.js';

/** What is asked about: how the caller calls the disk, the path of its image, where that is a path, and the driver of its format node. */
export interface ImageOfDisk {
  disk: string;
  path: string;
  format: string;
}

export function imageOf({ filename, format }: TrackableDisk, disk: string): ImageOfDisk {
  return { disk, path: filename, format };
}

/** Why nothing may be said about the disk: its image was overwritten in place. Null where that does not show, or cannot be seen from here. */
export async function findOverwritten(
  client: QmpPort,
  { disk, path, format }: ImageOfDisk,
  signal?: AbortSignal,
): Promise<CbtError | null> {
  // The bytes of a raw disk are the guest's: a qcow2 image in them is none of QEMU's, and says what the guest likes.
  if (!path.startsWith('/') || format !== 'qcow2') return null;
  const look = (): Promise<string | null> =>
    findUnmarkedBitmap(path, signal).catch((error: unknown) => {
      // In another mount namespace, or not ours to read; or no qcow2 image at all.
      if (error instanceof CbtError && error.code !== 'ERR_CBT_ABORTED') return null;
      throw error;
    });
  if ((await look()) === null) return null;
  // Whatever QEMU was about to do with its images has come to an end when it answers.
  await qmp(client, 'query-jobs', undefined, { signal });
  const name = await look();
  if (name === null) return null;
  return new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${path} was written to by another program while QEMU has it open: it lists bitmap ${name} as one that no QEMU uses, as an older copy would that was put over it. What the disk holds, and what changed, nobody can tell: stop the VM at once, put a whole image in its place, and begin with a full backup`,
    { disk, reason: 'CRASHED', details: { path } },
  );
}
