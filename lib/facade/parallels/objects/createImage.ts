/** Makes a new qcow2 image that was not there before. */
import { CbtError } from '../../../core/errors.js';
import { qemuImg } from '../../../host/imageTool.js';
import { type FileId, removeSame } from '../../../linux/target.js';
import { writeWholeFile } from '../../../linux/wholeFile.js';

/**
 * Makes it, and gives what is made of it. Null where a file of that name is there already, or somebody made one meanwhile; it stays as
 * it is. Where nothing can be made of the new image it is gone again.
 */
export async function createImage<T>(
  path: string,
  sizeBytes: number,
  open: () => Promise<T>,
): Promise<T | null> {
  const made = await makeImage(path, sizeBytes);
  if (made === null) return null;
  return open().catch(async (error: unknown) => {
    await removeSame(path, made);
    throw error;
  });
}

async function makeImage(path: string, sizeBytes: number): Promise<FileId | null> {
  try {
    return await writeWholeFile(
      path,
      async (file, unfinished) => {
        await qemuImg(['create', '-q', '-f', 'qcow2', '--', unfinished, String(sizeBytes)]);
        return file.stat({ bigint: true });
      },
      { existing: 'refuse', long: true },
    );
  } catch (error) {
    if (error instanceof CbtError && error.details['errno'] === 'EEXIST') return null;
    throw error;
  }
}
