/**
 * Taking a session's parts out of QEMU, in the one order that is safe: exports first, so that nobody reads past the
 * instant, then jobs, then nodes, then the server and the files. It asks QEMU what there is, so it finishes what another
 * process, or an earlier failure, left half-way.
 */

import { readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { isMissing, onFile } from '../../../linux/fileFault.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { removeExports } from '../own/exports.js';
import { type ParsedId, parseId } from '../own/ids.js';
import { dropJobs, ignoreGone } from '../own/jobs.js';
import { LEASE_NAME } from '../own/lease.js';
import { findSessions } from '../own/sessionParts.js';
import { removeSocketElsewhere } from '../own/socketPlace.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { OWNER_NAME } from './owner.js';

/** Removes what is picked of a session's exports, jobs and nodes, in this order; its other parts stay. */
export async function removeParts(
  client: QmpPort,
  tag: string,
  picked: { exports?: true; jobs?: (id: ParsedId) => boolean; nodes?: true },
  options?: WaitOptions,
): Promise<void> {
  const parts = (await findSessions(client, options)).get(tag);
  if (parts === undefined) return;
  if (picked.exports) await removeExports(client, parts.exports, options);
  const jobs = parts.jobs.filter((id) => {
    const parsed = parseId(id);
    return parsed !== null && picked.jobs?.(parsed);
  });
  await dropJobs(client, jobs, options);
  if (picked.nodes)
    for (const node of parts.nodes)
      await ignoreGone(qmp(client, 'blockdev-del', { 'node-name': node }, options));
}

/** What a session puts into its folder; nothing else is ever deleted, whatever path a node's name led to. */
const OWN_FILES = /^(scratch-\d+\.qcow2|nbd\.sock|unmigratable\.vhd|session\.json\.[0-9a-f-]{36})$/;
export const SCRATCH_FILE = /^scratch-\d+\.qcow2$/;
export const OVERLAY_FILE = /^overlay-\d+\.qcow2$/;
/** How far bringing an overlay back came; it goes with it. */
const OVERLAY_RECORD = /^overlay-\d+\.json$/;

/** Whether there are files of a session that only its QEMU had a use for. */
export async function hasFilesOfQemu(folder: string): Promise<boolean> {
  return (await readdir(folder).catch((): string[] => [])).some((name) => OWN_FILES.test(name));
}

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
  const names = await filesOf(folder);
  const kept = names.some((name) => OVERLAY_FILE.test(name)) && !overlays;
  for (const name of names)
    if (OWN_FILES.test(name) || (overlays && (OVERLAY_FILE.test(name) || OVERLAY_RECORD.test(name))))
      await removeFile(path.join(folder, name));
  if (kept || record) return;
  // Last the lock: whoever finds the record finds who looks after it.
  await removeFile(path.join(folder, LEASE_NAME));
  await removeFile(path.join(folder, OWNER_NAME));
  await rmdir(folder).catch(() => undefined);
}

/** Of one that cannot be looked at nothing is removed: an overlay may be in it, which the record leads to. */
async function filesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    return onFile(folder, 'listing', () => Promise.reject(error));
  }
}

function removeFile(file: string): Promise<void> {
  return onFile(file, 'removing', () => rm(file, { force: true }));
}
