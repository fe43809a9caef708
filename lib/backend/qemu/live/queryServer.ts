/**
 * The NBD server through which questions outside a session get their maps. A QEMU has one server: the one that the caller
 * names, that of a session of ours, or one started for the questions and stopped with the last of them.
 */
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isRunning, ownMark, stateOf } from '../../../linux/processMark.js';
import { listeningPaths } from '../../../linux/unixSockets.js';
import { qmp } from '../qmp/commands.js';
import type { QmpClient } from '../qmp/qmpClient.js';
import { ignoreGone } from '../session/jobs.js';
import { readLease } from '../session/lease.js';
import { isListening, startServer } from '../session/nbdServer.js';
import { makeSessionFolder } from '../session/scratch.js';
import {
  placeOfSocket,
  removeSocketElsewhere,
  socketElsewhere,
  socketInside,
} from '../session/socketPlace.js';
import { findSessions, removeExport, stopServer } from '../session/teardown.js';
import { askerOf, makeQueryId } from './queryIds.js';

/** Maps that this process has made. */
let drawn = 0;

/** A place in a running server. */
export interface ServerSeat {
  socket: string;
  /** Called once, when what was served is gone from QEMU. */
  leave(): Promise<void>;
}

export class QueryServer {
  readonly #client: QmpClient;
  readonly #vmSocket: string;
  readonly #given: string | undefined;
  readonly #place: string;
  /** The server of our own, while somebody sits there. */
  #own: { socket: string; folder: string; users: number } | null = null;
  /** Starting and stopping never overlap. */
  #turn: Promise<unknown> = Promise.resolve();

  /** `given`: socket of an NBD server that runs in this QEMU already; `place`: a folder for the socket of one of our own. */
  constructor(
    client: QmpClient,
    vmSocket: string,
    { given, place }: { given?: string; place?: string } = {},
  ) {
    this.#client = client;
    this.#vmSocket = vmSocket;
    this.#given = given;
    this.#place = place ?? tmpdir();
  }

  /** A name for a node and its export that nothing else in this QEMU has. */
  async drawId(): Promise<string> {
    drawn += 1;
    // Taken before the wait: another draw may come in between.
    const index = drawn;
    return makeQueryId(await ownMark(), index);
  }

  /** A server that runs at least until the seat is left, unless a session ends its own before. */
  async join(): Promise<ServerSeat> {
    return this.#inTurn(async () => {
      const other = this.#given ?? (this.#own === null ? await this.#sessionSocket() : null);
      if (other !== null) return { socket: other, leave: async () => undefined };
      this.#own ??= await this.#start();
      this.#own.users += 1;
      return { socket: this.#own.socket, leave: () => this.#inTurn(() => this.#leave()) };
    });
  }

  async #leave(): Promise<void> {
    const own = this.#own;
    if (own === null) return;
    own.users -= 1;
    if (own.users > 0) return;
    this.#own = null;
    try {
      if (this.#client.open) await stopServer(this.#client);
    } finally {
      await removeSocketElsewhere(own.folder);
      await rm(own.folder, { recursive: true, force: true });
    }
  }

  /** Where a session of ours has its server; looked up every time, because it goes with the session. */
  async #sessionSocket(): Promise<string | null> {
    for (const { folder } of (await findSessions(this.#client)).values()) {
      const lease = folder === null ? null : await readLease(folder);
      if (lease !== null) return lease.nbdSocket;
    }
    return null;
  }

  async #start(): Promise<{ socket: string; folder: string; users: number }> {
    await clearLeftQueries(this.#client, this.#vmSocket);
    const prefix = `${FOLDER}${await ownMark()}-${hashOf(this.#vmSocket)}-`;
    const folder = await makeSessionFolder(this.#vmSocket, this.#place, prefix);
    try {
      const socket = await placeOfSocket(folder, this.#vmSocket);
      await startServer(this.#client, socket);
      return { socket, folder, users: 0 };
    } catch (error) {
      await removeSocketElsewhere(folder);
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** What questions left: in this QEMU, and in the folder for temporary files. */
export interface LeftQueries {
  exports: string[];
  nodes: string[];
  folders: string[];
}

/**
 * What questions of processes that are gone left, or (`unknown`) of ones that cannot be seen from here: in another container, or
 * in one that was started anew.
 */
export async function findLeftQueries(
  client: QmpClient,
  vmSocket: string,
  whose: 'dead' | 'unknown' = 'dead',
): Promise<LeftQueries> {
  const [exports, nodes] = await Promise.all([
    qmp(client, 'query-block-exports'),
    qmp(client, 'query-named-block-nodes', { flat: true }),
  ]);
  const states = new Map<string, string>();
  const isLeft = async (id: string): Promise<boolean> => {
    const asker = askerOf(id);
    if (asker === null) return false;
    const state = states.get(asker) ?? (await stateOf(asker));
    states.set(asker, state);
    return state === whose;
  };
  const left: LeftQueries = { exports: [], nodes: [], folders: [] };
  for (const { id } of exports) if (await isLeft(id)) left.exports.push(id);
  for (const node of nodes) if (await isLeft(node['node-name'])) left.nodes.push(node['node-name']);
  if (whose === 'unknown') return left;
  // A server whose asker is gone still listens in the asker's folder, whose name says for which VM; also when that was removed.
  const there = (await readdir(tmpdir()).catch(() => [])).map((name) => path.join(tmpdir(), name));
  const heard = (await listeningPaths()).map((socket) => path.dirname(socket));
  for (const folder of new Set([...there, ...heard])) {
    const [, asker = '', vm] = FOLDER_NAME.exec(path.basename(folder)) ?? [];
    if (vm === hashOf(vmSocket) && !(await isRunning(asker))) left.folders.push(folder);
  }
  return left;
}

/** Removes what such questions left; returns what it removed. */
export async function clearLeftQueries(
  client: QmpClient,
  vmSocket: string,
  whose: 'dead' | 'unknown' = 'dead',
): Promise<string[]> {
  const { exports, nodes, folders } = await findLeftQueries(client, vmSocket, whose);
  for (const id of exports) await removeExport(client, id);
  for (const node of nodes) await ignoreGone(qmp(client, 'blockdev-del', { 'node-name': node }));
  for (const folder of folders) {
    for (const socket of [socketInside(folder), socketElsewhere(folder)])
      if (await isListening(socket)) await stopServer(client);
    await removeSocketElsewhere(folder);
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
  return [...exports, ...nodes, ...folders];
}

const FOLDER = 'cbt-q-';
const FOLDER_NAME = /^cbt-q-([0-9a-f]{16})-([0-9a-f]{8})-/;

/** Stands for a VM in a folder's name. */
function hashOf(vmSocket: string): string {
  return createHash('sha256').update(path.resolve(vmSocket)).digest('hex').slice(0, 8);
}
