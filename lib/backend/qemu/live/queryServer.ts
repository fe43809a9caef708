/**
 * The NBD server through which questions outside a session get their maps. A QEMU has one server: the one that the caller
 * names, that of a session of ours, or one started for the questions and stopped with the last of them.
 */
import { rm } from 'node:fs/promises';
import { ownMark } from '../../../linux/processMark.js';
import { stopServer } from '../own/exports.js';
import { readLease } from '../own/lease.js';
import { clearLeftQueries, folderPrefix } from '../own/leftQueries.js';
import { startServer } from '../own/nbdServer.js';
import { makeOwnFolder } from '../own/ownFolder.js';
import { beginUse, makeQueryId } from '../own/queryIds.js';
import { findSessions } from '../own/sessionParts.js';
import { placeOfSocket, removeSocketElsewhere } from '../own/socketPlace.js';
import type { QmpPort } from '../qmp/qmpPort.js';

/** Maps that this process has made. */
let drawn = 0;

/** A place in a running server. */
export interface ServerSeat {
  socket: string;
  /** Called once, when what was served is gone from QEMU. */
  leave(): Promise<void>;
}

/** A server of our own. */
interface OwnServer {
  socket: string;
  folder: string;
  endUse: () => void;
  users: number;
}

export class QueryServer {
  readonly #client: QmpPort;
  readonly #given: string | undefined;
  readonly #place: string | undefined;
  /** The server of our own, while somebody sits there. */
  #own: OwnServer | null = null;
  /** Starting and stopping never overlap. */
  #turn: Promise<unknown> = Promise.resolve();

  /** `given`: socket of an NBD server that runs in this QEMU already; `place`: a folder for the socket of one of our own. */
  constructor(client: QmpPort, { given, place }: { given?: string; place?: string } = {}) {
    this.#client = client;
    this.#given = given;
    this.#place = place;
  }

  /**
   * A name for a node and its export that nothing else in this QEMU has, until the caller ends its use. That goes with the name: two copies of
   * this library in a thread share a server, and only the one that made it knows what is in use.
   */
  async drawId(): Promise<{ id: string; endUse: () => void }> {
    drawn += 1;
    // Taken before the wait: another draw may come in between.
    const index = drawn;
    const id = makeQueryId(await ownMark(), index);
    return { id, endUse: beginUse(id, this.#client) };
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
      own.endUse();
      await removeSocketElsewhere(own.folder);
      await rm(own.folder, { recursive: true, force: true }).catch(() => undefined);
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

  async #start(): Promise<OwnServer> {
    const { host } = this.#client;
    await clearLeftQueries(this.#client);
    const place = this.#place ?? (await host.placeFor('questions', []));
    const prefix = await folderPrefix(host);
    const endUse = beginUse(prefix, this.#client);
    let folder: string | null = null;
    try {
      folder = await makeOwnFolder(host, place, prefix);
      const socket = await placeOfSocket(folder, host);
      await startServer(this.#client, socket);
      return { socket, folder, endUse, users: 0 };
    } catch (error) {
      endUse();
      if (folder !== null) {
        await removeSocketElsewhere(folder);
        await rm(folder, { recursive: true, force: true });
      }
      throw error;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
