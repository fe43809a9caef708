/**
 * A map inside a running QEMU while it is being read. Changed areas: a node without data gets a bitmap that never records,
 * the asked segments are merged into it, and it is exported, so the guest's own node is not held and its bitmaps stay
 * free. What holds data: the disk's node itself is exported, read-only.
 *
 *   guest's node [segment n] [segment n+1]        merge        null-co node [map] ─→ NBD export ─→ block status
 *                     └───────────┴────────────────────────────────────┘
 */
import type { RangePage, Window } from '../../../core/rangePage.js';
import type { NbdWanted } from '../../nbd/nbdAddon.js';
import { NbdConnection } from '../../nbd/nbdConnection.js';
import { removeExport } from '../own/exports.js';
import { ignoreGone } from '../own/jobs.js';
import type { BitmapName } from '../qmp/arguments.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { runTransaction } from '../qmp/transaction.js';
import type { QueryServer } from './queryServer.js';

/** Name of the merged bitmap on its node. */
const MAP_BITMAP = 'map';

export class LiveMap {
  constructor(
    private readonly connection: NbdConnection,
    private readonly context: string,
    private readonly wanted: NbdWanted,
    private readonly remove: () => Promise<void>,
  ) {}

  /** What is set in any of the bitmaps, as they are now. They must all be of nodes of this size. */
  static async ofBitmaps(
    client: QmpPort,
    server: QueryServer,
    asked: { bitmaps: readonly BitmapName[]; sizeBytes: number; granularityBytes: number },
    signal?: AbortSignal,
  ): Promise<LiveMap> {
    const { bitmaps, sizeBytes, granularityBytes } = asked;
    // The commands are not cancelled half-way: what there is must be known, to be removed.
    return serve(client, server, signal, async (id) => {
      await qmp(client, 'blockdev-add', { driver: 'null-co', 'node-name': id, size: sizeBytes });
      const map = { node: id, name: MAP_BITMAP };
      // QEMU drains the guest's I/O once before a transaction: no write is half in the bitmaps.
      await runTransaction(client, [
        { kind: 'add', ...map, granularityBytes, persistent: false, disabled: true },
        { kind: 'merge', ...map, sources: bitmaps },
      ]);
      await qmp(client, 'block-export-add', {
        type: 'nbd',
        id,
        name: id,
        'node-name': id,
        writable: false,
        bitmaps: [MAP_BITMAP],
      });
      return { context: `qemu:dirty-bitmap:${MAP_BITMAP}`, wanted: 'dirty' };
    });
  }

  /** Where a node holds data, or (`own`) what it has allocated itself without what lies below it. */
  static async ofNode(
    client: QmpPort,
    server: QueryServer,
    node: string,
    own: boolean,
    signal?: AbortSignal,
  ): Promise<LiveMap> {
    return serve(client, server, signal, async (id) => {
      const depth = own ? { 'allocation-depth': true } : {};
      await qmp(client, 'block-export-add', {
        type: 'nbd',
        id,
        name: id,
        'node-name': node,
        writable: false,
        ...depth,
      });
      return own
        ? { context: 'qemu:allocation-depth', wanted: 'top' }
        : { context: 'base:allocation', wanted: 'data' };
    });
  }

  /** Where an export that is there already holds data. */
  static async ofExport(socket: string, exportName: string, signal?: AbortSignal): Promise<LiveMap> {
    const context = 'base:allocation';
    const target = { kind: 'unix', path: socket, exportName } as const;
    const connection = await NbdConnection.open(target, { contexts: [context], ...(signal && { signal }) });
    return new LiveMap(connection, context, 'data', async () => undefined);
  }

  async page(window: Window): Promise<RangePage> {
    return this.connection.blockStatus(this.context, this.wanted, window);
  }

  async close(): Promise<void> {
    await this.connection.close().catch(() => undefined);
    await this.remove();
  }
}

/** Makes the export and connects to it; whatever fails, nothing stays in QEMU. */
async function serve(
  client: QmpPort,
  server: QueryServer,
  signal: AbortSignal | undefined,
  add: (id: string) => Promise<{ context: string; wanted: NbdWanted }>,
): Promise<LiveMap> {
  const { id, endUse } = await server.drawId();
  const seat = await server.join().catch((error: unknown) => {
    endUse();
    throw error;
  });
  const remove = async (): Promise<void> => {
    try {
      // With the connection to QEMU gone there is nothing to be done; whoever asks next clears it.
      if (!client.open) return;
      await removeExport(client, id);
      await ignoreGone(qmp(client, 'blockdev-del', { 'node-name': id }));
    } finally {
      endUse();
      await seat.leave();
    }
  };
  try {
    const { context, wanted } = await add(id);
    const target = { kind: 'unix', path: seat.socket, exportName: id } as const;
    const connection = await NbdConnection.open(target, { contexts: [context], ...(signal && { signal }) });
    return new LiveMap(connection, context, wanted, remove);
  } catch (error) {
    await remove().catch(() => undefined);
    throw error;
  }
}
