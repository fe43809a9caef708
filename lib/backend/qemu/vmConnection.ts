/**
 * Connections to QEMU, shared inside this process: a QMP monitor serves one client at a time, so two parts of a program
 * that ask the same VM must use the same connection. The last one to leave closes it.
 */
import type { LiveDiskSource } from './live/liveSource.js';
import { QueryServer } from './live/queryServer.js';
import type { QmpOptions } from './qmp/qmpClient.js';
import type { QmpPort } from './qmp/qmpPort.js';
import type { WayToQemu } from './wayToQemu.js';

export interface VmConnection {
  /** By what it is reached. */
  readonly address: string;
  readonly client: QmpPort;
  /** Serves the maps of questions outside a session. */
  readonly server: QueryServer;
  /** Disks that are open for questions. */
  readonly sources: Set<LiveDiskSource>;
}

interface Shared {
  connecting: Promise<VmConnection>;
  users: number;
}

const shared = new Map<string, Shared>();

/** The connection by this way; every call is followed by one of {@link releaseConnection}. */
export async function acquireConnection(way: WayToQemu, options: QmpOptions = {}): Promise<VmConnection> {
  const key = await way.identity();
  const known = shared.get(key);
  if (known !== undefined) {
    const connection = await known.connecting.catch(() => null);
    // Lost, or never made: QEMU may be another one by now, so whoever comes next starts anew.
    if (connection?.client.open && shared.get(key) === known) {
      known.users += 1;
      return connection;
    }
    if (shared.get(key) === known) shared.delete(key);
  }
  const raced = shared.get(key);
  if (raced !== undefined) return acquireConnection(way, options);
  const entry: Shared = { connecting: connect(way, options), users: 1 };
  shared.set(key, entry);
  try {
    return await entry.connecting;
  } catch (error) {
    if (shared.get(key) === entry) shared.delete(key);
    throw error;
  }
}

/** Closes the connection when nobody else in this process uses it. */
export async function releaseConnection(connection: VmConnection): Promise<void> {
  for (const [key, entry] of shared) {
    if ((await entry.connecting.catch(() => null)) !== connection) continue;
    entry.users -= 1;
    if (entry.users > 0) return;
    shared.delete(key);
  }
  await connection.client.close();
}

async function connect(way: WayToQemu, options: QmpOptions): Promise<VmConnection> {
  const client = await way.connect(options);
  return { address: way.address, client, server: new QueryServer(client), sources: new Set() };
}
