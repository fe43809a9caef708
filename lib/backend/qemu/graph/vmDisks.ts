/**
 * The disks of a running QEMU, whatever device shows them to the guest: who sees the disk, which node holds the image,
 * and which bitmaps its layers carry.
 *
 * In the system emulator the way goes from `query-block` (every block backend with a device or a name) to the node its
 * backend sees first, and down through the filters. Where there are no devices (qemu-storage-daemon) the disks are the
 * images at the top of the graph and those that are exported for writing.
 */

import { throwIfAborted } from '../../../core/errors.js';
import { SharedLook } from '../../../core/sharedLook.js';
import { untilAborted } from '../../../core/untilAborted.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { isOwnName } from '../own/ownNames.js';
import { ifKnown, qmp } from '../qmp/commands.js';
import { QmpCommandError } from '../qmp/qmpError.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import type { BlockDevice } from '../qmp/schemas.js';
import { type BlockGraph, type GraphNode, readBlockGraph } from './blockGraph.js';
import { devicePart, nameDisks } from './diskNames.js';
import {
  childOf,
  filesOf,
  filteredChild,
  holdUnmerged,
  isEncrypted,
  passFilters,
  passOwnOverlay,
  readLayers,
} from './layers.js';
import type { DiskImage, UnnamedDisk, VmDisk } from './vmDisk.js';

export { findAgain, findByNode, findDisk } from './diskNames.js';
export type { DiskImage, TrackableDisk, UntrackableDisk, VmDisk } from './vmDisk.js';

/** By connection: those who ask about many disks at once look once. */
const looks = new WeakMap<QmpPort, SharedLook<readonly VmDisk[]>>();

/** Every disk of the VM as it is after this call, in QEMU's order; nothing is left out, what cannot be tracked says why. */
export async function listDisks(client: QmpPort, options: WaitOptions = {}): Promise<readonly VmDisk[]> {
  const { signal, timeoutMs } = options;
  throwIfAborted(signal);
  // A look with a limit of its own is nobody else's.
  if (timeoutMs !== undefined) return readDisks(client, options);
  const look = looks.get(client) ?? new SharedLook(() => readDisks(client));
  looks.set(client, look);
  return untilAborted(look.ask(), signal);
}

async function readDisks(client: QmpPort, options?: WaitOptions): Promise<readonly VmDisk[]> {
  const graph = await readBlockGraph(client, options);
  const drafts = graph.devices.length > 0 ? await guestDisks(client, graph, options) : daemonDisks(graph);
  return nameDisks(refuseSharedNodes(drafts));
}

async function guestDisks(
  client: QmpPort,
  graph: BlockGraph,
  options: WaitOptions | undefined,
): Promise<UnnamedDisk[]> {
  const parts = graph.devices.flatMap(({ qdev }) => devicePart({ qdevPath: qdev }));
  const names = await client.host.namesOfDevices(parts, options);
  const [away, ...types] = await Promise.all([
    isGuestElsewhere(client, options),
    ...graph.devices.map(({ qdev }) => deviceTypeOf(client, qdev, options)),
  ]);
  return graph.devices.map((device, index) => {
    const disk = guestDisk(graph, device, types[index], names);
    return disk.trackable && away ? { ...disk, trackable: false, why: WITH_ANOTHER_QEMU } : disk;
  });
}

const WITH_ANOTHER_QEMU = 'another QEMU has the disk (migration)';

/** Before QEMU 10 nothing but the run state tells that the guest, and with it the image, is another process's. */
export async function isGuestElsewhere(client: QmpPort, options?: WaitOptions): Promise<boolean> {
  const told = await ifKnown(qmp(client, 'query-status', undefined, options));
  return told !== null && ['inmigrate', 'finish-migrate', 'postmigrate'].includes(told.status);
}

function guestDisk(
  graph: BlockGraph,
  device: BlockDevice,
  deviceType: string | undefined,
  ownNames: ReadonlyMap<string, string>,
): UnnamedDisk {
  const [own] = devicePart({ qdevPath: device.qdev }).flatMap((part) => ownNames.get(part) ?? []);
  const names = {
    ...(own === undefined ? {} : { ownName: own }),
    ...(device.device === '' ? {} : { deviceId: device.device }),
    ...(device.qdev === undefined ? {} : { qdevPath: device.qdev }),
    ...(deviceType === undefined ? {} : { deviceType }),
  };
  const seen = device.inserted?.['node-name'];
  if (seen === undefined) return { ...names, trackable: false, why: 'no medium is inserted' };
  // `inserted` leaves out the filters that jobs insert by themselves; the graph's own edge does not.
  const top = graph.tops.get(device.device === '' ? (device.qdev ?? '') : device.device) ?? seen;
  const image = readImage(graph, top);
  const why = whyNot(device, deviceType, image.written);
  const rest = { ...names, ...image.image };
  return why === null ? { ...rest, trackable: true } : { ...rest, trackable: false, why };
}

/** Why a device with a medium is no disk to be tracked; null when it is one. */
function whyNot(device: BlockDevice, deviceType: string | undefined, node: GraphNode): string | null {
  if (device.qdev === undefined) return 'no guest device uses this drive';
  if (deviceType !== undefined && /(^|-)cd$/.test(deviceType)) return 'it is a CD-ROM drive';
  if (deviceType?.startsWith('cfi.pflash')) return 'it is firmware flash, not a disk';
  return whyNotWritable(node);
}

function whyNotWritable(node: GraphNode): string | null {
  if (node.info.active === false) return `its node is inactive: ${WITH_ANOTHER_QEMU}`;
  return node.info.ro ? 'its medium is read-only' : null;
}

/**
 * Without guest devices: images that no other node uses, and those exported although another node uses them. Where anything
 * is exported, an export is what a device is elsewhere: a node that no export leads to, such as the one that a mirror
 * job left behind, is not written by anybody, and is no disk any more.
 */
function daemonDisks(graph: BlockGraph): UnnamedDisk[] {
  const used = new Set([...graph.nodes.values()].flatMap((node) => usedBy(graph, node)));
  const roots = graph.exports
    .filter(({ id }) => !isOwnName(id))
    .map((e) => e['node-name'])
    .filter((root) => graph.nodes.has(root));
  const exported = new Set(roots);
  const behind = new Set(roots.map((root) => readImage(graph, root).image.formatNode));
  const drafts: UnnamedDisk[] = [];
  for (const node of graph.nodes.values()) {
    const top = !used.has(node.name);
    if (isOwnName(node.name) || !(top || (exported.has(node.name) && !node.info.ro))) continue;
    const { image, written } = readImage(graph, node.name);
    if (drafts.some((other) => other.formatNode === image.formatNode)) continue;
    const apart = behind.size > 0 && !behind.has(image.formatNode) ? NOT_EXPORTED : null;
    const why = whyNotWritable(written) ?? apart;
    drafts.push(
      why === null
        ? { ...image, trackable: true }
        : { ...image, trackable: false, why, ...(why === NOT_EXPORTED && { apart: image }) },
    );
  }
  return drafts;
}

const NOT_EXPORTED = 'no export leads to it, and others of this process are exported';

/** Nodes that are parts of this one. What a scratch or filter of ours sits on is no part of it, but a disk. */
function usedBy(graph: BlockGraph, node: GraphNode): string[] {
  const disk = isOwnName(node.name) ? (filteredChild(graph, node) ?? childOf(node, 'backing')) : undefined;
  return node.children.map((child) => child.node).filter((child) => child !== disk);
}

/** The image below `top`, and the node that takes the guest's writes: the image's own, or that of an overlay of ours. */
function readImage(graph: BlockGraph, top: string): { image: DiskImage; written: GraphNode } {
  const { node, filters, overlay } = passOwnOverlay(graph, passFilters(graph, top));
  const layers = holdUnmerged(graph, readLayers(graph, node));
  const written = overlay ?? node;
  const image: DiskImage = {
    formatNode: node.name,
    filtersAbove: filters,
    filename: layers[0].filename,
    files: filesOf(graph, node),
    sizeBytes: node.info.image['virtual-size'],
    ...(overlay !== null && { overlay: overlay.name }),
    format: node.info.drv,
    persistentCapable: keepsBitmaps(node) && !written.info.ro,
    encrypted: layers.some((layer) => isEncrypted(graph, layer.node)),
    layers,
  };
  return { image, written };
}

/** Only qcow2 stores bitmaps, and only version 3 ("compat 1.1") has the flag that says they are valid. */
function keepsBitmaps({ info }: GraphNode): boolean {
  return info.drv === 'qcow2' && info.image['format-specific']?.data['compat'] !== '0.10';
}

async function deviceTypeOf(
  client: QmpPort,
  qdev: string | undefined,
  options: WaitOptions | undefined,
): Promise<string | undefined> {
  if (qdev === undefined) return undefined;
  // An id alone may be ambiguous: the buses of a device are named after it.
  const path = qdev.startsWith('/') ? qdev : `/machine/peripheral/${qdev}`;
  try {
    const type = await qmp(client, 'qom-get', { path, property: 'type' }, options);
    return typeof type === 'string' ? type : undefined;
  } catch (error) {
    // The device may have been unplugged meanwhile; its type only adds to the reasons not to track it.
    if (error instanceof QmpCommandError) return undefined;
    throw error;
  }
}

/** One image, one chain: a second device on the same node would track it twice. */
function refuseSharedNodes(drafts: UnnamedDisk[]): UnnamedDisk[] {
  const owners = new Map<string, UnnamedDisk>();
  return drafts.map((draft) => {
    if (!draft.trackable) return draft;
    const owner = owners.get(draft.formatNode);
    if (owner === undefined) {
      owners.set(draft.formatNode, draft);
      return draft;
    }
    const first = owner.qdevPath ?? owner.deviceId ?? draft.formatNode;
    return { ...draft, trackable: false as const, why: `it shares node ${draft.formatNode} with ${first}` };
  });
}
