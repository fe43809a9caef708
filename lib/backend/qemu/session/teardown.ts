/**
 * Taking a session's parts out of QEMU, in the one order that is safe: exports first, so that nobody reads past the
 * instant, then jobs, then nodes, then the server and the files. It asks QEMU what there is, so it finishes what another
 * process, or an earlier failure, left half-way.
 */

import { readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { askerOf } from '../live/queryIds.js';
import { qmp } from '../qmp/commands.js';
import type { QmpClient } from '../qmp/qmpClient.js';
import type { WaitOptions } from '../waiting.js';
import { type ParsedId, parseId } from './ids.js';
import { dropJob, ignoreGone } from './jobs.js';
import { LEASE_NAME } from './lease.js';
import { OWNER_NAME } from './owner.js';
import { removeSocketElsewhere } from './socketPlace.js';

/** What of a session there is in QEMU now. */
export interface SessionParts {
  exports: string[];
  jobs: string[];
  /** Nodes in the order in which they can be removed: what stands on another comes first. */
  nodes: string[];
  /** Folder of the session's files, where one of its nodes tells it. */
  folder: string | null;
}

/** The files come last: they lead whoever comes later to the session's folder. */
const REMOVAL_ORDER = ['map', 'blocker', 'scratch', 'scratchFile', 'overlay', 'overlayFile'] as const;
const FILE_PARTS: readonly string[] = ['scratchFile', 'overlayFile', 'blocker'];

/** The sessions that QEMU holds parts of, by their tag. */
export async function findSessions(
  client: QmpClient,
  options?: WaitOptions,
): Promise<Map<string, SessionParts>> {
  const [nodes, jobs, exports] = await Promise.all([
    qmp(client, 'query-named-block-nodes', { flat: true }, options),
    qmp(client, 'query-jobs', undefined, options),
    qmp(client, 'query-block-exports', undefined, options),
  ]);
  const sessions = new Map<string, SessionParts>();
  const partsOf = (tag: string): SessionParts => {
    const parts = sessions.get(tag) ?? { exports: [], jobs: [], nodes: [], folder: null };
    sessions.set(tag, parts);
    return parts;
  };
  for (const { id } of exports) {
    const parsed = parseId(id);
    if (parsed !== null) partsOf(parsed.tag).exports.push(id);
  }
  for (const { id } of jobs) {
    const parsed = parseId(id);
    if (parsed !== null) partsOf(parsed.tag).jobs.push(id);
  }
  for (const node of nodes) {
    const name = node['node-name'] ?? '';
    const parsed = parseId(name);
    if (parsed === null || parsed.part === 'filter') continue;
    const parts = partsOf(parsed.tag);
    parts.nodes.push(name);
    if (FILE_PARTS.includes(parsed.part)) parts.folder ??= folderOf(node.file);
  }
  for (const parts of sessions.values()) parts.nodes.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return sessions;
}

/** Removes what is picked of a session's exports, jobs and nodes, in this order; its other parts stay. */
export async function removeParts(
  client: QmpClient,
  tag: string,
  picked: { exports?: true; jobs?: (id: ParsedId) => boolean; nodes?: true },
  options?: WaitOptions,
): Promise<void> {
  const parts = (await findSessions(client, options)).get(tag);
  if (parts === undefined) return;
  if (picked.exports) for (const id of parts.exports) await removeExport(client, id, options);
  for (const id of parts.jobs) {
    const parsed = parseId(id);
    if (parsed !== null && picked.jobs?.(parsed)) await dropJob(client, id, options);
  }
  if (picked.nodes)
    for (const node of parts.nodes)
      await ignoreGone(qmp(client, 'blockdev-del', { 'node-name': node }, options));
}

/** Deletes an export and waits until QEMU says that it is gone; clients are cut off. */
export async function removeExport(client: QmpClient, id: string, options?: WaitOptions): Promise<void> {
  const deleted = client.waitEvent(
    ({ event, data }) => event === 'BLOCK_EXPORT_DELETED' && data?.['id'] === id,
    options,
  );
  const known = (await qmp(client, 'query-block-exports', undefined, options)).some((e) => e.id === id);
  if (!known) return;
  await ignoreGone(qmp(client, 'block-export-del', { id, mode: 'hard' }, options));
  // The event may have come before this wait began, or never: the list decides.
  const still = (await qmp(client, 'query-block-exports', undefined, options)).some((e) => e.id === id);
  if (still) await deleted;
}

/** Stops an NBD server of ours when it serves nobody else; maps that are being asked through it go with it. */
export async function stopServer(client: QmpClient, options?: WaitOptions): Promise<void> {
  for (const { id } of await qmp(client, 'query-block-exports', undefined, options))
    if (askerOf(id) !== null) await removeExport(client, id, options);
  if ((await qmp(client, 'query-block-exports', undefined, options)).length > 0) return;
  await qmp(client, 'nbd-server-stop', undefined, options).catch(() => undefined);
}

/** What a session puts into its folder; nothing else is ever deleted, whatever path a node's name led to. */
const OWN_FILES = /^(scratch-\d+\.qcow2|nbd\.sock|unmigratable\.vhd|session\.json\.[0-9a-f-]{36})$/;
export const SCRATCH_FILE = /^scratch-\d+\.qcow2$/;
export const OVERLAY_FILE = /^overlay-\d+\.qcow2$/;
/** How far bringing an overlay back came; it goes with it. */
const OVERLAY_RECORD = /^overlay-\d+\.json$/;

/**
 * Removes the session's files and, when nothing else is in it, its folder. An overlay holds what the guest wrote: it goes
 * only where the caller knows that its image has it all; one that stays keeps the lease beside it, which says whose it is.
 * `record`: the lease stays in any case.
 */
export async function removeFolder(
  folder: string,
  { overlays, record = false }: { overlays: boolean; record?: boolean },
): Promise<void> {
  await removeSocketElsewhere(folder);
  const names = await readdir(folder).catch(() => []);
  const kept = names.some((name) => OVERLAY_FILE.test(name)) && !overlays;
  for (const name of names)
    if (OWN_FILES.test(name) || (overlays && (OVERLAY_FILE.test(name) || OVERLAY_RECORD.test(name))))
      await rm(path.join(folder, name), { force: true });
  if (kept || record) return;
  // Last the lock: whoever finds the record finds who looks after it.
  await rm(path.join(folder, LEASE_NAME), { force: true });
  await rm(path.join(folder, OWNER_NAME), { force: true });
  await rmdir(folder).catch(() => undefined);
}

function rank(node: string): number {
  const part = parseId(node)?.part;
  const index = REMOVAL_ORDER.indexOf(part as (typeof REMOVAL_ORDER)[number]);
  return index === -1 ? REMOVAL_ORDER.length : index;
}

/** The folder of a file as QEMU shows it; null where that is no plain absolute path. */
function folderOf(filename: string): string | null {
  const at = filename.lastIndexOf('/');
  return filename.startsWith('/') && at > 0 ? filename.slice(0, at) : null;
}
