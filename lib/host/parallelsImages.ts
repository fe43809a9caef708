/** The wiring of Parallels disks: which image files a `.hdd` folder, its descriptor or a `.hds` file stands for. */
import { type DiskImage, findDiskFiles } from '../backend/image/parallels/diskFiles.js';

export type { DiskImage } from '../backend/image/parallels/diskFiles.js';

/** The images that hold the disk's data, top first; as the descriptor names them, never by what else lies beside it. */
export async function parallelsImages(path: string, signal?: AbortSignal): Promise<readonly DiskImage[]> {
  return (await findDiskFiles(path, signal)).images;
}
