/** An image as a target of connections: told to qemu-nbd file by file, as the library does. */
import type { NbdTarget } from '../../lib/backend/nbd/nbdTarget.js';
import type { QemuNbdImage } from '../../lib/backend/nbd/qemuNbdCommand.js';
import { imageNode } from '../../lib/host/imageName.js';

export async function servedImage({
  file,
  format,
  trust,
  withoutBacking,
  ...offer
}: QemuNbdImage): Promise<NbdTarget & { kind: 'qemu-nbd' }> {
  return { kind: 'qemu-nbd', file, ...offer, node: await imageNode(file, { format, trust, withoutBacking }) };
}
