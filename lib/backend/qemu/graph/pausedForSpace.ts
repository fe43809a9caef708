/**
 * A VM that QEMU paused because a write of the guest found no space: on which file systems, and whose files are there. QEMU
 * tries the write again when the VM goes on, so nothing is lost meanwhile.
 */
import { freeSpaceFor } from '../../../linux/freeSpace.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { parseId } from '../own/ids.js';
import { ifKnown, qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { type BlockGraph, readBlockGraph } from './blockGraph.js';

/** A file that takes writes of the guest, and the room it has. */
export interface GuestFile {
  path: string;
  folder: string;
  freeBytes: number;
  /** Tag of the session of ours that it belongs to; null for the disk's own. */
  session: string | null;
}

export interface PausedVm {
  /** Disks whose write failed, and whether for want of space. */
  disks: { disk: string; noSpace: boolean }[];
  /** Where there is no room now. */
  full: GuestFile[];
}

/** Less than this is no room for a write of the guest. */
const ROOM_BYTES = 1 << 20;

/** Null while the VM runs, is paused for another reason, or is a storage daemon. */
export async function findPausedForSpace(client: QmpPort, options?: WaitOptions): Promise<PausedVm | null> {
  if ((await statusOf(client, options)) !== 'io-error') return null;
  const graph = await readBlockGraph(client, options);
  const failed = graph.devices.filter((device) => (device['io-status'] ?? 'ok') !== 'ok');
  const disks = failed.map((device) => ({
    disk: device.device === '' ? (device.qdev ?? '') : device.device,
    noSpace: device['io-status'] === 'nospace',
  }));
  const paths = new Map<string, string | null>();
  for (const { inserted } of failed)
    if (inserted !== undefined) collectFiles(graph, inserted['node-name'], paths, new Set());
  const full: GuestFile[] = [];
  for (const [path, session] of paths) {
    const room = await freeSpaceFor(path).catch(() => null);
    if (room === null || room.bytes === null || room.bytes >= ROOM_BYTES) continue;
    full.push({ path, folder: room.folder, freeBytes: room.bytes, session });
  }
  return { disks, full };
}

/** Lets the VM go on, unless something else than an I/O error keeps it. */
export async function goOn(client: QmpPort, options?: WaitOptions): Promise<void> {
  if ((await statusOf(client, options)) === 'io-error') await qmp(client, 'cont', undefined, options);
}

/** Files below a node that are open for writing, with those that a filter of ours writes to. */
function collectFiles(
  graph: BlockGraph,
  name: string,
  into: Map<string, string | null>,
  seen: Set<string>,
): void {
  const node = graph.nodes.get(name);
  if (node === undefined || seen.has(name)) return;
  seen.add(name);
  const { info, children } = node;
  if (!info.ro && info.drv === 'file' && info.file.startsWith('/'))
    into.set(info.file, parseId(name)?.tag ?? null);
  for (const child of children) collectFiles(graph, child.node, into, seen);
}

async function statusOf(client: QmpPort, options: WaitOptions | undefined): Promise<string | null> {
  return (await ifKnown(qmp(client, 'query-status', undefined, options)))?.status ?? null;
}
