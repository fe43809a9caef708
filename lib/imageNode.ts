/** The wiring of "what QEMU is told about an image": its files as they were read and checked, and no others. */
import {
  imageFiles as files,
  type ImageNode,
  type ImageNodeOptions,
  imageNode as node,
} from './backend/image/imageNode.js';
import { loadKernel } from './kernel/load.js';

export type { ImageNode } from './backend/image/imageNode.js';

/** How the format of an image is known, and how much of its stack is wanted. */
export type NodeOptions = Omit<ImageNodeOptions, 'kernel'>;

/** The image for `blockdev-add`, qemu-nbd and qemu-img. Only what the format's word allows is followed. */
export async function imageNode(path: string, options: NodeOptions = {}): Promise<ImageNode> {
  return node(path, { ...options, kernel: await loadKernel() });
}

/** The files of the image's stack, the top first. */
export async function imageFiles(path: string, options: NodeOptions = {}): Promise<string[]> {
  return files(path, { ...options, kernel: await loadKernel() });
}
