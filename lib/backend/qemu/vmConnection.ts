/**
 * Connections to QEMU, shared inside this thread: a QMP monitor serves one client at a time, so two parts of a program
 * that ask the same VM must use the same connection, also where each has a copy of the library of its own. The last one to leave closes it.
 */
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { waitFor } from '../../linux/waiting.js';
import type { LiveDiskSource } from './live/liveSource.js';
import { QueryServer } from './live/queryServer.js';
import { answerOthers, stopAnswering, threadThatHas } from './otherThreads.js';
import type { QmpOptions } from './qmp/qmpClient.js';
import type { QmpPort } from './qmp/qmpPort.js';
import type { WayToQemu } from './wayToQemu.js';

export interface VmConnection {
  /** By what it is reached. */
  readonly address: string;
  readonly client: QmpPort;
  /** Fires when it is lost, with the error as its reason; not when it is closed. */
  readonly lost: AbortSignal;
  /** Serves the maps of questions outside a session. */
  readonly server: QueryServer;
  /** Disks that are open for questions. */
  readonly sources: Set<Pick<LiveDiskSource, 'release'>>;
}

interface Shared {
  connecting: Promise<VmConnection>;
  /** Once it stands. */
  connection: VmConnection | null;
  users: number;
}

/** The number goes up with every change of what is kept here: a copy of another form keeps connections of its own. */
const REGISTRY = Symbol.for('qemu-cbt.connections.1');

function registry(): Map<string, Shared> {
  const place = globalThis as { [REGISTRY]?: Map<string, Shared> };
  place[REGISTRY] ??= new Map();
  return place[REGISTRY];
}

/**
 * The connection by this way; every call is followed by one of {@link releaseConnection}. Where somebody else is connecting already it is
 * waited for, with the caller's own signal and time all the same.
 */
export async function acquireConnection(way: WayToQemu, options: QmpOptions = {}): Promise<VmConnection> {
  throwIfAborted(options.signal);
  const shared = registry();
  const startedAt = Date.now();
  const { signal, timeoutMs } = options;
  const key = await way.identity({ signal, timeoutMs });
  const known = shared.get(key);
  if (known !== undefined) {
    const connection = await whenConnected(way, known, options);
    // Lost, or never made: QEMU may be another one by now, so whoever comes next starts anew.
    if (connection?.client.open && shared.get(key) === known) {
      known.users += 1;
      return connection;
    }
    if (shared.get(key) === known) shared.delete(key);
  }
  const left = remaining(options, startedAt);
  const raced = shared.get(key);
  if (raced !== undefined) return acquireConnection(way, left);
  const entry: Shared = { connecting: connect(way, key, left), connection: null, users: 1 };
  shared.set(key, entry);
  try {
    entry.connection = await entry.connecting;
    answerOthers((asked) => registry().get(asked)?.connection?.client.open === true);
    return entry.connection;
  } catch (error) {
    if (shared.get(key) === entry) shared.delete(key);
    throw error;
  }
}

/** Closes the connection when nobody else in this process uses it. */
export async function releaseConnection(connection: VmConnection): Promise<void> {
  const shared = registry();
  for (const [key, entry] of shared) {
    if (entry.connection !== connection) continue;
    entry.users -= 1;
    if (entry.users > 0) return;
    shared.delete(key);
  }
  if (shared.size === 0) stopAnswering();
  await connection.client.close();
}

const DEFAULT_CONNECT_MS = 10_000;

/** Null where whoever is connecting comes to nothing. */
function whenConnected(
  way: WayToQemu,
  { connecting }: Shared,
  { signal, timeoutMs = DEFAULT_CONNECT_MS }: QmpOptions,
): Promise<VmConnection | null> {
  return waitFor<VmConnection | null>(
    (resolve) => {
      connecting.then(resolve, () => resolve(null));
      return () => undefined;
    },
    {
      timeoutMs,
      signal,
      onTimeout: () =>
        new CbtError(
          'ERR_CBT_TIMEOUT',
          `another part of this program is connecting to ${way.address}, and was not through in ${timeoutMs} ms`,
          { reason: 'BUSY', details: { socket: way.address, timeoutMs } },
        ),
    },
  );
}

/** What was waited for another is gone from the caller's own time. */
function remaining(options: QmpOptions, startedAt: number): QmpOptions {
  const { timeoutMs = DEFAULT_CONNECT_MS } = options;
  return { ...options, timeoutMs: Math.max(1, timeoutMs - (Date.now() - startedAt)) };
}

async function connect(way: WayToQemu, key: string, options: QmpOptions): Promise<VmConnection> {
  try {
    return connectionOver(await way.connect(options), way.address);
  } catch (error) {
    throw CbtError.is(error, 'ERR_CBT_TIMEOUT') && error.reason === 'BUSY' ? await heldBy(key, error) : error;
  }
}

/** The same, and that it is we, where it is. */
async function heldBy(key: string, error: CbtError): Promise<CbtError> {
  const thread = await threadThatHas(key);
  if (thread === null) return error;
  const message = `${error.message}. Here it is thread ${thread} of this very process (${process.pid}): connections are a thread's own, so one thread has to ask for all`;
  return new CbtError(error.code, message, {
    reason: 'BUSY',
    details: { ...error.details, holder: process.pid, holderThread: thread },
  });
}

/** What is kept beside a port while it is used. */
export function connectionOver(client: QmpPort, address = client.name): VmConnection {
  const lost = new AbortController();
  void client.ended.then((why) => {
    if (why.code !== 'ERR_CBT_CLOSED') lost.abort(why);
  });
  return {
    address,
    client,
    lost: lost.signal,
    server: new QueryServer(client),
    sources: new Set(),
  };
}
