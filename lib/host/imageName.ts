/** The wiring of "what QEMU is told about an image": its files as they were read and checked, and no others. */
import { type ImageNode, type ImageNodeOptions, imageNode } from '../backend/image/imageNode.js';

export { type ImageNode, imageFiles, imageNode } from '../backend/image/imageNode.js';

/** The image as qemu-img takes it in place of a file's name; no `-f` beside it. */
export async function imageName(path: string, options: ImageNodeOptions = {}): Promise<string> {
  return nameOfNode(await imageNode(path, options));
}

/** The same of an image that is described already. */
export function nameOfNode(described: ImageNode): string {
  return `json:${JSON.stringify(described)}`;
}
