/** What questions left in a QEMU and beside it when the process that asked was killed, or lost its connection. */
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { listeningPaths } from '../../../linux/listeners.js';
import { markIfDrawn, ownMark, stateOf } from '../../../linux/processMark.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import type { QemuHost } from '../qemuHost.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { removeExport, stopServer } from './exports.js';
import { ignoreGone } from './jobs.js';
import { isListening } from './nbdServer.js';
import { askerOf, isInUse } from './queryIds.js';
import { removeSocketElsewhere, socketElsewhere, socketInside } from './socketPlace.js';

/** What questions left: in this QEMU, and in the folder for temporary files. */
export interface LeftQueries {
  exports: string[];
  nodes: string[];
  folders: string[];
}

/**
 * What questions of processes that are gone left, and ours whose connection is lost; or (`unknown`) those of ones that cannot be seen from
 * here: in another container, or in one that was started anew.
 */
export async function findLeftQueries(
  client: QmpPort,
  whose: 'dead' | 'unknown' = 'dead',
  options?: WaitOptions,
): Promise<LeftQueries> {
  const [exports, nodes] = await Promise.all([
    qmp(client, 'query-block-exports', undefined, options),
    qmp(client, 'query-named-block-nodes', { flat: true }, options),
  ]);
  const states = new Map<string, string>();
  const own = await markIfDrawn();
  const isLeft = async (name: string, asker: string | null): Promise<boolean> => {
    if (asker === null || isInUse(name)) return false;
    if (asker === own) return whose === 'dead';
    const state = states.get(asker) ?? (await stateOf(asker));
    states.set(asker, state);
    return state === whose;
  };
  const left: LeftQueries = { exports: [], nodes: [], folders: [] };
  for (const { id } of exports) if (await isLeft(id, askerOf(id))) left.exports.push(id);
  for (const { 'node-name': node } of nodes) if (await isLeft(node, askerOf(node))) left.nodes.push(node);
  // A server whose asker is gone still listens in the asker's folder, whose name says for which VM; also when that was removed.
  const { host } = client;
  const there: string[] = [];
  for (const place of await host.placesToSearch())
    there.push(...(await readdir(place).catch(() => [])).map((name) => path.join(place, name)));
  const heard = (await listeningPaths()).map((socket) => path.dirname(socket));
  for (const folder of new Set([...there, ...heard])) {
    const [start = '', asker = null, vm] = FOLDER_NAME.exec(path.basename(folder)) ?? [];
    if (vm !== hashOf(host.key) && vm !== hashOf(host.address)) continue;
    if (!(await isLeft(start, asker))) continue;
    if (!(await isAnothers(host, folder))) left.folders.push(folder);
  }
  return left;
}

/** Removes what such questions left; returns what it removed. */
export async function clearLeftQueries(
  client: QmpPort,
  whose: 'dead' | 'unknown' = 'dead',
  options?: WaitOptions,
): Promise<string[]> {
  const { exports, nodes, folders } = await findLeftQueries(client, whose, options);
  for (const id of exports) await removeExport(client, id, options);
  for (const node of nodes) await ignoreGone(qmp(client, 'blockdev-del', { 'node-name': node }, options));
  for (const folder of folders) {
    for (const socket of [socketInside(folder), socketElsewhere(folder)])
      if (await isListening(socket)) await stopServer(client, options);
    await removeSocketElsewhere(folder);
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
  return [...exports, ...nodes, ...folders];
}

const FOLDER = 'cbt-q-';
/** Older versions gave no number. */
const FOLDER_NAME = /^cbt-q-([0-9a-f]{16})-([0-9a-f]{8})-(?:\d+-)?/;

/** Folders that were begun here. */
let begun = 0;

/** How the name of the folder begins that is made next for a server of its own in this VM: each begins otherwise. */
export async function folderPrefix({ key }: QemuHost): Promise<string> {
  const mark = await ownMark();
  begun += 1;
  return `${FOLDER}${mark}-${hashOf(key)}-${begun}-`;
}

/** Stands for a VM in a folder's name: its key, or (of older versions) its socket. */
function hashOf(vm: string): string {
  return createHash('sha256').update(vm).digest('hex').slice(0, 8);
}

/** Of two VMs that were given one UUID each finds the other's. */
async function isAnothers(host: QemuHost, folder: string): Promise<boolean> {
  for (const socket of [socketInside(folder), socketElsewhere(folder)])
    if (await host.isAnothersServer(socket)) return true;
  return false;
}
