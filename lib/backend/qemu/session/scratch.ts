/**
 * Scratch files of a fleecing session: where they go, how large they may grow, and their nodes in QEMU. QEMU itself makes
 * them, so they are its own to write whoever it runs as.
 */
import { chmod, chown, mkdtemp, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CbtError } from '../../../core/errors.js';
import type { ScratchOptions } from '../../../core/vm.js';
import { qmp } from '../qmp/commands.js';
import type { QmpClient } from '../qmp/qmpClient.js';
import type { WaitOptions } from '../waiting.js';
import { makeId } from './ids.js';
import { finishJob } from './jobs.js';

/** Share of the free space that a session may take unless told otherwise. */
const DEFAULT_SHARE = 0.8;

/** Makes the session's folder, which only QEMU's user and root can enter. */
export async function makeSessionFolder(
  vmSocket: string,
  base: string | undefined,
  prefix = 'cbt-',
): Promise<string> {
  const parent = path.resolve(base ?? tmpdir());
  let folder: string;
  try {
    folder = await mkdtemp(path.join(parent, prefix));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `no session folder can be made in ${parent}: ${why}`, {
      cause,
    });
  }
  // The monitor's socket belongs to whoever QEMU runs as; the folder must too, or QEMU could not enter it.
  const owner = await stat(vmSocket).catch(() => null);
  if (owner !== null && process.getuid?.() === 0 && owner.uid !== 0)
    await chown(folder, owner.uid, owner.gid);
  await chmod(folder, 0o700);
  return folder;
}

/** Bytes the scratch files may take together. */
export async function scratchLimit(
  folder: string,
  options: ScratchOptions,
): Promise<{ limitBytes: number; freeBytes: number }> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  const limitBytes = Math.min(options.limitBytes ?? Math.floor(freeBytes * DEFAULT_SHARE), freeBytes);
  return { limitBytes, freeBytes };
}

/**
 * Nobody watches the scratch of a session that outlives its command, and a full one hurts the guest on QEMU before 10.1:
 * such a session must be able to hold all that the guest can overwrite.
 */
export function requireRoom(
  worstBytes: number,
  room: { limitBytes: number; freeBytes: number },
  folder: string,
): void {
  if (room.limitBytes >= worstBytes) return;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the scratch files in ${folder} may need ${worstBytes} bytes and ${room.limitBytes} are allowed (${room.freeBytes} are free): ` +
      'nobody watches them while no process of ours holds the session, and a full one would fail writes of the guest; ' +
      'give a scratch folder with more room, or accept the risk (--scratch-unwatched)',
    { details: { worstBytes, limitBytes: room.limitBytes, freeBytes: room.freeBytes } },
  );
}

/** Makes a scratch file and its nodes over the disk's node; returns the node that shows the instant once fleecing runs. */
export async function addScratch(
  client: QmpClient,
  scratch: {
    tag: string;
    index: number;
    folder: string;
    node: string;
    sizeBytes: number;
    thresholdBytes: number;
  },
  options?: WaitOptions,
): Promise<string> {
  const { tag, index, folder, sizeBytes } = scratch;
  const filename = path.join(folder, `scratch-${index}.qcow2`);
  const file = await createFileNode(
    client,
    { tag, index, filename, part: 'scratchFile', sizeBytes },
    options,
  );
  const node = makeId('scratch', tag, index);
  await qmp(
    client,
    'blockdev-add',
    { driver: 'qcow2', 'node-name': node, file, backing: scratch.node },
    options,
  );
  if (scratch.thresholdBytes > 0) {
    const threshold = { 'node-name': file, 'write-threshold': scratch.thresholdBytes };
    await qmp(client, 'block-set-write-threshold', threshold, options);
  }
  return node;
}

/** A new qcow2 file of this virtual size, opened as a protocol node. */
export async function createFileNode(
  client: QmpClient,
  file: {
    tag: string;
    index: number;
    filename: string;
    part: 'scratchFile' | 'overlayFile';
    sizeBytes: number;
  },
  options?: WaitOptions,
): Promise<string> {
  const { tag, index, filename, sizeBytes } = file;
  const job = makeId('create', tag, index);
  const node = makeId(file.part, tag, index);
  await qmp(
    client,
    'blockdev-create',
    { 'job-id': job, options: { driver: 'file', filename, size: 0 } },
    options,
  );
  await finishJob(client, job, `making ${filename}`, options);
  await qmp(client, 'blockdev-add', { driver: 'file', 'node-name': node, filename }, options);
  await qmp(
    client,
    'blockdev-create',
    { 'job-id': job, options: { driver: 'qcow2', file: node, size: sizeBytes } },
    options,
  );
  await finishJob(client, job, `formatting ${filename}`, options);
  return node;
}
