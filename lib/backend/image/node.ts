/** What QEMU is told about an image and its files: the part of `blockdev-add` that is used here. */
import type { ImageFile } from './imageFile.js';

/** A file of an image, as QEMU's `blockdev-add` takes it. */
export interface FileNode {
  driver: 'file' | 'host_device';
  filename: string;
}

/** An image with all that lies below it, as QEMU's `blockdev-add` takes it. */
export interface ImageNode {
  driver: string;
  file: FileNode;
  'data-file'?: FileNode;
  /** Null where nothing is to be opened below; absent where the format knows nothing below. */
  backing?: ImageNode | null;
}

/** The path as it was opened: put together anew, ".." behind a symbolic link would lead elsewhere. */
export function fileNode({ path, isDevice }: ImageFile): FileNode {
  const filename = path.startsWith('/') ? path : `${process.cwd()}/${path}`;
  return { driver: isDevice ? 'host_device' : 'file', filename };
}
