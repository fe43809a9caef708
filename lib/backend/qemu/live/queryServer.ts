/**
 * The NBD server through which questions outside a session get their maps. A QEMU has one server: the one that the caller
 * names, that of a session of ours, or one started for the questions and stopped with the last of them.
 */
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { qmp } from '../qmp/commands.js';
import type { QmpClient } from '../qmp/qmpClient.js';
import { ignoreGone } from '../session/jobs.js';
import { readLease } from '../session/lease.js';
import { useNbdServer } from '../session/nbdServer.js';
import { makeSessionFolder } from '../session/scratch.js';
import { findSessions, removeExport, stopServer } from '../session/teardown.js';
import { isAsking, makeQueryId, ownQueryTag, parseQueryId } from './queryIds.js';

/** Maps that this process has made. */
let drawn = 0;

export class QueryServer {
  readonly #client: QmpClient;
  readonly #vmSocket: string;
  readonly #given: string | undefined;
  #users = 0;
  #started: Promise<{ socket: string; folder: string | null }> | null = null;
  /** Starting and stopping never overlap. */
  #turn: Promise<unknown> = Promise.resolve();
  #tag: Promise<string> | null = null;

  /** `given`: socket of an NBD server that runs in this QEMU already. */
  constructor(client: QmpClient, vmSocket: string, given?: string) {
    this.#client = client;
    this.#vmSocket = vmSocket;
    this.#given = given;
  }

  /** A name for a node and its export that nothing else in this QEMU has. */
  async drawId(): Promise<string> {
    this.#tag ??= ownQueryTag();
    drawn += 1;
    return makeQueryId(await this.#tag, drawn);
  }

  /** The server's socket; it runs until as many {@link leave} followed. */
  async join(): Promise<string> {
    return this.#inTurn(async () => {
      this.#started ??= this.#start();
      try {
        const { socket } = await this.#started;
        this.#users += 1;
        return socket;
      } catch (error) {
        this.#started = null;
        throw error;
      }
    });
  }

  async leave(): Promise<void> {
    await this.#inTurn(async () => {
      this.#users -= 1;
      if (this.#users > 0 || this.#started === null) return;
      const { folder } = await this.#started;
      this.#started = null;
      if (folder === null) return;
      if (this.#client.open) await stopServer(this.#client);
      await rm(folder, { recursive: true, force: true });
    });
  }

  async #start(): Promise<{ socket: string; folder: string | null }> {
    if (this.#given !== undefined) return { socket: this.#given, folder: null };
    const sessions = await findSessions(this.#client);
    for (const { folder } of sessions.values()) {
      const lease = folder === null ? null : await readLease(folder);
      if (lease !== null) return { socket: lease.nbdSocket, folder: null };
    }
    await clearDeadQueries(this.#client, this.#vmSocket);
    this.#tag ??= ownQueryTag();
    const prefix = `${FOLDER}${await this.#tag}-${hashOf(this.#vmSocket)}-`;
    const folder = await makeSessionFolder(this.#vmSocket, undefined, prefix);
    try {
      const { socket } = await useNbdServer(this.#client, folder, undefined);
      return { socket, folder };
    } catch (error) {
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

/** Removes what questions of processes that are gone left in this QEMU; returns what it removed. */
export async function clearDeadQueries(client: QmpClient, vmSocket: string): Promise<string[]> {
  const [exports, nodes] = await Promise.all([
    qmp(client, 'query-block-exports'),
    qmp(client, 'query-named-block-nodes', { flat: true }),
  ]);
  const dead = new Map<string, boolean>();
  const isLeft = async (id: string): Promise<boolean> => {
    const parsed = parseQueryId(id);
    if (parsed === null) return false;
    const known = dead.get(parsed.tag) ?? !(await isAsking(parsed));
    dead.set(parsed.tag, known);
    return known;
  };
  const cleared: string[] = [];
  for (const { id } of exports) {
    if (!(await isLeft(id))) continue;
    await removeExport(client, id);
    cleared.push(id);
  }
  for (const node of nodes) {
    const name = node['node-name'];
    if (!(await isLeft(name))) continue;
    await ignoreGone(qmp(client, 'blockdev-del', { 'node-name': name }));
    cleared.push(name);
  }
  await stopDeadServer(client, vmSocket);
  return cleared;
}

/** A server whose asker is gone still listens in the asker's folder, whose name says for which VM. */
async function stopDeadServer(client: QmpClient, vmSocket: string): Promise<void> {
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    const [, tag = '', vm] = FOLDER_NAME.exec(name) ?? [];
    const asker = vm === hashOf(vmSocket) ? parseQueryId(makeQueryId(tag, 0)) : null;
    if (asker === null || (await isAsking(asker))) continue;
    const folder = path.join(tmpdir(), name);
    if (await isListening(path.join(folder, 'nbd.sock'))) await stopServer(client);
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

const FOLDER = 'cbt-q-';
const FOLDER_NAME = /^cbt-q-([0-9a-f]{16})-([0-9a-f]{8})-/;

/** Stands for a VM in a folder's name. */
function hashOf(vmSocket: string): string {
  return createHash('sha256').update(path.resolve(vmSocket)).digest('hex').slice(0, 8);
}

async function isListening(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}
