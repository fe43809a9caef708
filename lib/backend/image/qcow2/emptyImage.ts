/**
 * Makes an image that holds nothing of its own, in a file that is there already and empty: somebody else made it, so that
 * it has the owner and the label which that one gives its files.
 *
 *   | header | L1 … | refcount block | refcount table |
 */
import { constants, type FileHandle, open } from 'node:fs/promises';
import { CbtError, invalidArgument } from '../../../core/errors.js';
import { finishFile } from './finishFile.js';
import { l2CoverageBytes, MAX_L1_BYTES } from './header.js';

/** What QEMU takes unless told otherwise. */
const CLUSTER_BYTES = 65_536;

export interface EmptyImage {
  /** Bytes of the disk, a multiple of 512. */
  sizeBytes: number;
  /** What the header says it stands on; nothing unless given. */
  backing?: { path: string; format: string };
}

/** Formats the file; system errors come as they are. Nothing is synced: a flush of whoever writes to it does that. */
export async function formatEmpty(path: string, { sizeBytes, backing }: EmptyImage): Promise<void> {
  const covers = l2CoverageBytes(CLUSTER_BYTES, false);
  const most = (MAX_L1_BYTES / 8) * covers;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes % 512 !== 0 || sizeBytes > most)
    throw invalidArgument('sizeBytes', sizeBytes, `a multiple of 512, at most ${most}`);
  const l1Entries = Math.max(1, Math.ceil(sizeBytes / covers));
  // Others may write in its folder, and we may be root: nothing is written but a new file that has no other name.
  const file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size, nlink } = await regular(path, file);
    if (size !== 0 || nlink !== 1)
      throw notNew(path, `it has ${size} bytes and ${nlink} name(s), expected 0 and 1`);
    // The L1 table stays a hole: nothing is allocated.
    await finishFile(file, 1 + Math.ceil((8 * l1Entries) / CLUSTER_BYTES), {
      sizeBytes,
      clusterBytes: CLUSTER_BYTES,
      backing: backing?.path ?? null,
      ...(backing && { backingFormat: backing.format }),
      l1Entries,
    });
  } finally {
    await file.close();
  }
}

async function regular(path: string, file: FileHandle): Promise<{ size: number; nlink: number }> {
  const stats = await file.stat();
  if (!stats.isFile()) throw notNew(path, 'it is no regular file');
  return stats;
}

function notNew(path: string, why: string): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${path} is not the new file that it should be: ${why}`,
    {
      details: { path },
    },
  );
}
