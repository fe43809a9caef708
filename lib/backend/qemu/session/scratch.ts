/**
 * The files of a session: where they go, how large they may grow, and their nodes in QEMU. QEMU itself makes them, so they
 * are its own to write whoever it runs as; we are that user, or root.
 */
import path from 'node:path';
import { CbtError } from '../../../core/errors.js';
import type { ScratchOptions } from '../../../core/vm.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { formatEmpty } from '../../image/qcow2/emptyImage.js';
import { makeId } from '../own/ids.js';
import { finishJob } from '../own/jobs.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';

/** Share of the free space that a session may take unless told otherwise. */
const DEFAULT_SHARE = 0.8;

/** Every folder in which sessions on this VM may have put their files, in either mode. */
export async function placesOfFiles(
  client: QmpPort,
  { folder }: ScratchOptions = {},
  options?: WaitOptions,
): Promise<string[]> {
  const places = await client.host.placesToSearch(options?.signal);
  return [...new Set([...places, ...(folder === undefined ? [] : [folder])])];
}

/** Bytes the files may take together. */
export async function scratchLimit(
  { host }: QmpPort,
  folder: string,
  options: ScratchOptions,
): Promise<{ limitBytes: number; freeBytes: number }> {
  const freeBytes = await host.freeBytes(folder);
  const limitBytes = Math.min(options.limitBytes ?? Math.floor(freeBytes * DEFAULT_SHARE), freeBytes);
  return { limitBytes, freeBytes };
}

/**
 * A full file hurts the guest (a full scratch on QEMU before 10.1, a full overlay on any). Of a session that outlives its
 * command QEMU's own warning reaches nobody: its guard watches the files, and ends it before the limit as soon as it gets the
 * monitor. Where no guard could be started such a session must be able to hold all that the guest can overwrite.
 */
export function requireRoom(
  worstBytes: number,
  room: { limitBytes: number; freeBytes: number },
  folder: string,
): void {
  if (room.limitBytes >= worstBytes) return;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the session's files in ${folder} may need ${worstBytes} bytes and ${room.limitBytes} are allowed (${room.freeBytes} are free): ` +
      'no guard could be started that watches them, and a full one would fail writes of the guest; ' +
      'give a scratch folder with more room, or accept the risk (--scratch-unwatched)',
    { details: { worstBytes, limitBytes: room.limitBytes, freeBytes: room.freeBytes } },
  );
}

/** Makes a scratch file and its nodes over the disk's node; returns the node that shows the instant once fleecing runs. */
export async function addScratch(
  client: QmpPort,
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
  await watchFile(client, file, scratch.thresholdBytes, options);
  return node;
}

/** Has QEMU say so when the file reaches this many bytes; 0 is no limit. */
export async function watchFile(
  client: QmpPort,
  node: string,
  thresholdBytes: number,
  options?: WaitOptions,
): Promise<void> {
  if (thresholdBytes === 0) return;
  const threshold = { 'node-name': node, 'write-threshold': thresholdBytes };
  await qmp(client, 'block-set-write-threshold', threshold, options);
}

/** Nodes of which QEMU says when they reach their limit; one that did has none any more. */
export async function limitedFiles(client: QmpPort, options?: WaitOptions): Promise<string[]> {
  const nodes = await qmp(client, 'query-named-block-nodes', { flat: true }, options);
  return nodes.filter(({ write_threshold: limit = 0 }) => limit > 0).map((node) => node['node-name']);
}

/**
 * A new qcow2 file of this virtual size, opened as a protocol node. QEMU makes the file, so that it is its own to write; what
 * makes it an image is written here. QEMU before 8.0 formats in the coroutine of a job (`blockdev-create`), and aborts, guest
 * and all, when anybody on any monitor asks for its nodes (libvirt does, for statistics) while the new one is half open.
 */
export async function createFileNode(
  client: QmpPort,
  file: {
    tag: string;
    index: number;
    filename: string;
    part: 'scratchFile' | 'overlayFile';
    sizeBytes: number;
    /** What the header says it stands on; nothing unless given. */
    backing?: { path: string; format: string };
  },
  options?: WaitOptions,
): Promise<string> {
  const { tag, index, filename, ...image } = file;
  const job = makeId('create', tag, index);
  const node = makeId(file.part, tag, index);
  await qmp(
    client,
    'blockdev-create',
    { 'job-id': job, options: { driver: 'file', filename, size: 0 } },
    options,
  );
  await finishJob(client, job, `making ${filename}`, options).catch(async (error: unknown) => {
    throw await withWhoMayNot(client, path.dirname(filename), error);
  });
  await formatEmpty(filename, image).catch((cause: unknown) => {
    if (cause instanceof CbtError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `${filename}, which QEMU has just made, cannot be written from here: ${why}`;
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { cause });
  });
  await qmp(client, 'blockdev-add', { driver: 'file', 'node-name': node, filename }, options);
  return node;
}

/** QEMU's refusal to make a file, with who it is and what that one may not do. */
async function withWhoMayNot({ host }: QmpPort, folder: string, error: unknown): Promise<unknown> {
  if (!(error instanceof CbtError) || !/Permission denied/.test(error.message)) return error;
  const closed = await host.firstClosed(folder);
  if (closed === null && host.confinedBy !== null) return withWhatConfines(host.confinedBy, folder, error);
  if (closed === null) return error;
  const { folder: at, uid } = closed;
  const how =
    at === folder
      ? `run this as root or as that user`
      : `let it in (chmod o+x, or setfacl -m u:${uid}:x), or name another folder (--scratch)`;
  const message = `${error.message}: QEMU runs as user ${uid}, which may not enter ${at}; ${how}`;
  return new CbtError(error.code, message, { details: closed, cause: error });
}

function withWhatConfines(what: string, folder: string, error: CbtError): CbtError {
  const how =
    what === 'apparmor'
      ? `let it in (a line '${path.dirname(folder)}/cbt-** rwk,' in /etc/apparmor.d/local/abstractions/libvirt-qemu), or name a folder that it may write to (--scratch)`
      : 'name a folder whose files it may write to (--scratch)';
  const message = `${error.message}: ${what} confines this QEMU to files of its own; ${how}`;
  return new CbtError(error.code, message, { details: { folder, confinedBy: what }, cause: error });
}
