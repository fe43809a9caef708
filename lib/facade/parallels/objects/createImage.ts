/** Makes a new qcow2 image that was not there before. */
import { CbtError } from '../../../core/errors.js';
import { qemuImg } from '../../../host/imageTool.js';
import { writeWholeFile } from '../../../linux/wholeFile.js';

/** False where a file of that name is there already, or somebody made one meanwhile; it stays as it is. */
export async function createImage(path: string, sizeBytes: number): Promise<boolean> {
  try {
    await writeWholeFile(
      path,
      (_, unfinished) => qemuImg(['create', '-q', '-f', 'qcow2', '--', unfinished, String(sizeBytes)]),
      { existing: 'refuse', long: true },
    );
    return true;
  } catch (error) {
    if (error instanceof CbtError && error.details['errno'] === 'EEXIST') return false;
    throw error;
  }
}
