/**
 * Beginning a session in overlay mode: the guest writes to a new file above its image, and the image, which nobody
 * writes, shows the instant. No write of the guest waits for a copy, and whatever becomes of us its data is on disk; in
 * return the session's end has to bring what came in back into the image.
 *
 *   guest ─→ filters ─→ overlay ─backing→ image (read-only, with its bitmaps, stored)
 *                                           └─ export of the session
 *
 * One transaction: the snapshots first, because each keeps its disk drained to the end of it; then the bitmaps of the
 * images, which are read-only only when the whole transaction stands.
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { type BlockGraph, type GraphNode, readBlockGraph } from '../graph/blockGraph.js';
import { childOf, isReached, passFilters, takesWrites } from '../graph/layers.js';
import type { TrackableDisk } from '../graph/vmDisk.js';
import { makeId } from '../own/ids.js';
import { isRelativeName } from '../qemuPlace.js';
import type { TransactionAction } from '../qmp/arguments.js';
import { capabilitiesOf } from '../qmp/capabilities.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { runTransaction } from '../qmp/transaction.js';
import { inBitmapOrder, type PlannedDisk, shareOf } from './fleece.js';
import { makeOverlayRecord } from './overlayRecord.js';
import { createFileNode, watchFile } from './scratch.js';

/** Throws where an overlay cannot be put on the disk. */
export function requireOverlayable({ id, overlay, encrypted, filename }: TrackableDisk): void {
  if (encrypted) {
    const message = `${id} is encrypted: what the guest writes during the session would lie in the overlay in clear; use mode fleece, which keeps only what is overwritten`;
    throw new CbtError('ERR_CBT_UNSUPPORTED', message, { disk: id });
  }
  if (isRelativeName(filename)) {
    const unknown = `QEMU names the image of ${id} relative to a folder of its own (${filename}), and which file that is cannot be seen from here: an overlay could not be brought back into it when QEMU is gone. Run this as root, start QEMU with whole paths, or use fleece mode`;
    throw new CbtError('ERR_CBT_UNSUPPORTED', unknown, { disk: id });
  }
  if (overlay === undefined) return;
  const message = `${id} has an overlay of a session already (${overlay}): end that session, or see qemu-cbt doctor`;
  throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { disk: id, reason: 'BUSY' });
}

/** Makes the overlay files and nodes; nothing of the guest is touched yet. */
export async function prepareOverlays(
  client: QmpPort,
  session: { tag: string; folder: string; limitBytes: number },
  disks: readonly PlannedDisk[],
  options?: WaitOptions,
): Promise<void> {
  const { tag, folder } = session;
  for (const { index, disk } of disks) {
    const filename = `${folder}/overlay-${index}.qcow2`;
    // The header names the image: with QEMU gone, the file says by itself what it belongs to.
    const backing = disk.filename.startsWith('/') ? { path: disk.filename, format: disk.format } : undefined;
    const part = 'overlayFile';
    const { sizeBytes } = disk;
    const file = await createFileNode(
      client,
      { tag, index, filename, part, sizeBytes, ...(backing && { backing }) },
      options,
    );
    const node = makeId('overlay', tag, index);
    await qmp(client, 'blockdev-add', { driver: 'qcow2', 'node-name': node, file, backing: null }, options);
    await watchFile(client, file, shareOf(session.limitBytes, disk, disks), options);
    await makeOverlayRecord(folder, index);
  }
}

/** The one transaction: overlays on all disks, then their images' bitmaps. */
export async function takeSnapshots(
  client: QmpPort,
  tag: string,
  disks: readonly PlannedDisk[],
  options?: WaitOptions,
): Promise<void> {
  const capabilities = await capabilitiesOf(client, options);
  capabilities.require('transaction action blockdev-snapshot', 'block-commit');
  const snapshots = disks.map(
    ({ index, disk }): TransactionAction => ({
      type: 'blockdev-snapshot',
      data: { node: disk.formatNode, overlay: makeId('overlay', tag, index) },
    }),
  );
  await runTransaction(client, [...snapshots, ...inBitmapOrder(disks)], options);
}

/** Why an image no longer shows the session's instant; null while every one is below its overlay and read-only. */
export async function findMovedImage(
  client: QmpPort,
  tag: string,
  disks: readonly { index: number; disk: string; node: string }[],
  options?: WaitOptions,
): Promise<string | null> {
  const nodes = await qmp(client, 'query-named-block-nodes', { flat: true }, options);
  for (const { index, disk, node } of disks) {
    const image = nodes.find((n) => n['node-name'] === node);
    if (image === undefined) return `the image of ${disk} (node ${node}) is gone`;
    if (!image.ro) return `the image of ${disk} (node ${node}) is written again`;
    const overlay = makeId('overlay', tag, index);
    if (!nodes.some((n) => n['node-name'] === overlay)) return `the overlay of ${disk} (${overlay}) is gone`;
  }
  return null;
}

/** The nodes of an overlay that takes writes: what guest and exports see first, the overlay, the image below. */
export interface Covering {
  root: string;
  overlay: string;
  image: string;
  /** Protocol node of the overlay, where somebody made it stand by itself (block-stream): the image has to be put below it again. */
  apart?: string;
  /** Internal snapshots that somebody took of the overlay. */
  snapshots: readonly string[];
}

/** An overlay that takes writes for an image now, with what is needed to bring them back; null where there is none. */
export async function findCovering(
  client: QmpPort,
  { tag, index, node }: { tag: string; index: number; node: string },
  options?: WaitOptions,
): Promise<Covering | null> {
  const graph = await readBlockGraph(client, options);
  const overlay = graph.nodes.get(makeId('overlay', tag, index));
  if (overlay === undefined) return null;
  const root = rootAbove(graph, overlay).name;
  const snapshots = overlay.info.image.snapshots?.map(({ name }) => name) ?? [];
  const backing = childOf(overlay, 'backing');
  if (backing === undefined) {
    // Not put on its image yet, or taken off it with all that was below: then it is the whole disk.
    const file = childOf(overlay, 'file');
    if (file === undefined || !isReached(graph, overlay)) return null;
    return { root, overlay: overlay.name, image: node, snapshots, apart: file };
  }
  const image = passFilters(graph, backing).node;
  if (!takesWrites(graph, overlay, image)) return null;
  return { root, overlay: overlay.name, image: image.name, snapshots };
}

/** The topmost node above: QEMU wants a job to be named after a node that no other node uses. */
function rootAbove(graph: BlockGraph, start: GraphNode): GraphNode {
  let node = start;
  // Each step goes up by one node, and no node comes twice.
  for (let steps = 0; steps < graph.nodes.size; steps += 1) {
    const above = [...graph.nodes.values()].find(({ children }) =>
      children.some((c) => c.node === node.name),
    );
    if (above === undefined) return node;
    node = above;
  }
  return node;
}
