/**
 * A session as QEMU alone knows it, for when its folder is gone or its record cannot be read: the ids of its parts tell the
 * disks, the bitmaps on them the point in time. Who began it is not known.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatChangeId } from '../../../core/changeId.js';
import { CbtError } from '../../../core/errors.js';
import { requireUuid } from '../../../core/pointInTime.js';
import { parseSegmentName, type SegmentName } from '../../../core/segmentName.js';
import { listeningPaths } from '../../../linux/listeners.js';
import { thisMachine } from '../../../linux/machine.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { type BlockGraph, readBlockGraph } from '../graph/blockGraph.js';
import { childOf, passFilters } from '../graph/layers.js';
import { listDisks, type VmDisk } from '../graph/vmDisks.js';
import { parseId, tagOf } from '../own/ids.js';
import type { Lease, LeaseDisk } from '../own/lease.js';
import { findSessions, type SessionParts } from '../own/sessionParts.js';
import { socketElsewhere, socketInside } from '../own/socketPlace.js';
import type { QmpPort } from '../qmp/qmpPort.js';

/** What a session is called: its UUID, or the 16 digits of it that QEMU shows (with or without the … of messages). */
export function requireTag(session: string): string {
  const digits = typeof session === 'string' ? /^([0-9a-f]{16})…?$/i.exec(session)?.[1] : undefined;
  return digits?.toLowerCase() ?? tagOf(requireUuid('session', session));
}

/** The session's folder, which may be gone, and a record made of what QEMU tells; null where QEMU holds nothing of it. */
export async function readFromQemu(
  client: QmpPort,
  tag: string,
  options?: WaitOptions,
): Promise<{ folder: string; lease: Lease } | null> {
  const parts = (await findSessions(client, options)).get(tag);
  if (parts === undefined) return null;
  const [graph, disks] = await Promise.all([readBlockGraph(client, options), listDisks(client, options)]);
  // A name that no session's folder has, where QEMU does not tell it: nothing is there to be read or removed.
  const folder = parts.folder ?? join(tmpdir(), `cbt-unknown-${tag}`);
  const listening = await listeningPaths();
  const own = [socketInside(folder), socketElsewhere(folder)].find((socket) => listening.includes(socket));
  const points = disks.flatMap((disk) => pointOn(disk, tag) ?? []);
  const found = disksOf(graph, disks, parts, tag);
  const mode = parts.nodes.some((node) => parseId(node)?.part === 'overlay') ? 'overlay' : 'fleece';
  const taken = points.length > 0 || found.some(({ node }) => isCovered(disks, node));
  const lease: Lease = {
    version: 1,
    session: points[0]?.pit ?? asUuid(tag),
    vm: client.host.address,
    key: client.host.key,
    machine: await thisMachine(),
    mode,
    owner: null,
    created: '',
    taken,
    // Without an instant there is nothing to commit.
    ...(!taken && { ending: 'rollback' as const }),
    nbdSocket: own ?? socketInside(folder),
    ownServer: own !== undefined,
    warnings: [],
    disks: found.sort((a, b) => a.index - b.index),
  };
  return { folder, lease };
}

/** Disks that a part of the session stands on, and those that have its point in time. */
function disksOf(graph: BlockGraph, disks: readonly VmDisk[], parts: SessionParts, tag: string): LeaseDisk[] {
  const byNode = new Map<string, number>();
  let next = 0;
  for (const name of parts.nodes) {
    const { part, index = 0 } = parseId(name) ?? {};
    next = Math.max(next, index + 1);
    const node = graph.nodes.get(name);
    const below = node && (part === 'scratch' || part === 'overlay') ? childOf(node, 'backing') : undefined;
    if (below !== undefined) byNode.set(passFilters(graph, below).node.name, index);
  }
  return disks.flatMap((disk): LeaseDisk[] => {
    const { id, formatNode: node, sizeBytes = 0, filename } = disk;
    const point = pointOn(disk, tag);
    if (node === undefined || !(byNode.has(node) || point)) return [];
    const image = filename?.startsWith('/') ? { image: filename } : {};
    const told = point && {
      epoch: point.epoch,
      changeId: formatChangeId({ ...point, sequence: point.first }),
    };
    return [{ index: byNode.get(node) ?? next++, node, disk: id, sizeBytes, ...image, ...told }];
  });
}

function pointOn({ layers }: VmDisk, tag: string): SegmentName | undefined {
  return layers?.[0].bitmaps
    .flatMap(({ name }) => parseSegmentName(name) ?? [])
    .find(({ pit }) => tagOf(pit) === tag);
}

function isCovered(disks: readonly VmDisk[], node: string): boolean {
  return disks.some((disk) => disk.formatNode === node && disk.overlay !== undefined);
}

/** For a session without a point: of what it would be called only the first half is known. */
function asUuid(tag: string): string {
  const [, a, b, c] = /^(.{8})(.{4})(.{4})$/.exec(tag) ?? [];
  return `${a}-${b}-${c}-0000-000000000000`;
}

export function noSuchSession(session: string): CbtError {
  return new CbtError(
    'ERR_CBT_CLOSED',
    `there is no session ${session} on this VM: it has ended, or its QEMU was restarted`,
    { details: { session, ended: true } },
  );
}
