/** Makes a new qcow2 image that was not there before. */
import { access } from 'node:fs/promises';
import { qemuImg } from '../../../imageTool.js';

/** False where a file of that name is there already; it stays as it is. */
export async function createImage(path: string, sizeBytes: number): Promise<boolean> {
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (there) return false;
  await qemuImg(['create', '-q', '-f', 'qcow2', '--', path, String(sizeBytes)]);
  return true;
}
