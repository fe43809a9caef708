/** A running QEMU behind its QMP socket, as callers hold it: each call looks at what is there now, and acts on that. */
import { randomUUID } from 'node:crypto';
import { BegunSessions } from '../../core/begunSessions.js';
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import { CbtError } from '../../core/errors.js';
import { checkCall, text } from '../../core/options.js';
import { settled } from '../../core/outcome.js';
import { parsePoint } from '../../core/point.js';
import { type Instant, requireUuid } from '../../core/pointInTime.js';
import type { Session } from '../../core/session.js';
import { TrackedDisk } from '../../core/trackedDisk.js';
import { disable, enable, forget, reset, type TrackingOutcome, undo } from '../../core/tracking.js';
import { untilAborted } from '../../core/untilAborted.js';
import type {
  BeginVmOptions,
  CallOptions,
  DisksOptions,
  StartVmOptions,
  Vm,
  VmDiskInfo,
  VmFacts,
} from '../../core/vm.js';
import { checkBegin, checkDisks, checkStart } from '../../core/vmOptions.js';
import { findShortOfRoom } from './graph/closingRoom.js';
import { QmpTrackingTarget } from './graph/trackingTarget.js';
import type { VmDisk } from './graph/vmDisk.js';
import { findAgain, findByNode, findDisk, listDisks } from './graph/vmDisks.js';
import { type InstantExport, LiveDiskSource } from './live/liveSource.js';
import { QueryServer } from './live/queryServer.js';
import type { LeaseDisk } from './own/lease.js';
import { ifKnown, qmp } from './qmp/commands.js';
import { beginSession, resumeSession } from './session/begin.js';
import type { LiveSession } from './session/liveSession.js';
import { releaseConnection, type VmConnection } from './vmConnection.js';
import { vmUuid } from './vmUuid.js';

export class VmHandle implements Vm {
  readonly running = true;
  readonly #connection: VmConnection;
  readonly #kernel: BitmapKernel;
  readonly #server: QueryServer;
  readonly #nbdSocket: string | undefined;
  readonly #opened = new Set<LiveDiskSource>();
  readonly #begun = new BegunSessions();
  #closing: Promise<void> | null = null;

  /** `nbdSocket`: of an NBD server that runs in this QEMU already; `scratch`: where else the socket of one for questions goes. */
  constructor(
    connection: VmConnection,
    kernel: BitmapKernel,
    { nbdSocket, scratch }: { nbdSocket?: string | undefined; scratch?: string | undefined } = {},
  ) {
    this.#connection = connection;
    this.#kernel = kernel;
    const own = {
      ...(nbdSocket !== undefined && { given: nbdSocket }),
      ...(scratch !== undefined && { place: scratch }),
    };
    this.#server =
      Object.keys(own).length === 0 ? connection.server : new QueryServer(connection.client, own);
    this.#nbdSocket = nbdSocket;
  }

  get key(): string {
    return this.#connection.client.host.key;
  }

  get lost(): AbortSignal {
    return this.#connection.lost;
  }

  async facts(options: CallOptions = {}): Promise<VmFacts> {
    checkCall('facts', options);
    const { client } = this.#live();
    const [name, uuid, status, cpus, memory] = await Promise.all([
      ifKnown(qmp(client, 'query-name', undefined, options)),
      vmUuid(client, options),
      ifKnown(qmp(client, 'query-status', undefined, options)),
      ifKnown(qmp(client, 'query-cpus-fast', undefined, options)),
      ifKnown(qmp(client, 'query-memory-size-summary', undefined, options)),
    ]);
    // Behind the others, which wait for a daemon that is being restarted: its owner answers again when QEMU does.
    const definition = await client.host.definition(options);
    const { major, minor, micro } = client.version?.qemu ?? { major: 0, minor: 0, micro: 0 };
    return {
      name: name?.name ?? null,
      uuid,
      status: status?.status ?? null,
      qemu: `${major}.${minor}.${micro}`,
      cpus: cpus?.length ?? null,
      memoryBytes: memory === null ? null : memory['base-memory'] + (memory['plugged-memory'] ?? 0),
      ...(definition !== null && { definition }),
    };
  }

  async disks(options: DisksOptions = {}): Promise<VmDiskInfo[]> {
    checkDisks('disks', options);
    const { disks: names, signal } = options;
    const all = await listDisks(this.#live().client, { signal });
    if (names === undefined) return all.map(describe);
    const chosen = await Promise.all(names.map((name) => findDisk(all, name)));
    return [...new Set(chosen)].map(describe);
  }

  async openDisk(name: string, options: CallOptions = {}): Promise<TrackedDisk> {
    text(name, 'disk');
    checkCall('openDisk', options);
    const { client } = this.#live();
    const disk = await findDisk(await listDisks(client, options), name);
    if (!disk.trackable)
      throw new CbtError('ERR_CBT_UNSUPPORTED', `cannot be tracked: ${disk.why}`, { disk: name });
    // By what it is: a snapshot or commit gives it another node, and the next disk that is plugged in may take its name.
    return this.#open(disk.id, (disks) => findAgain(disks, disk), null);
  }

  async enable(options: StartVmOptions = {}): Promise<TrackingOutcome> {
    checkStart('enable', options);
    const { host } = this.#live().client;
    const outcome = settled(await enable(await this.#roomyTarget(options), start(options)));
    // Tracking has started: what fails from here on may not hide that.
    const risk = await host
      .riskOfTracking({ signal: options.signal })
      .catch((error: unknown) => `whether tracking is a risk to the VM was not told: ${wordsOf(error)}`);
    return risk === null ? outcome : { ...outcome, warnings: [...(outcome.warnings ?? []), risk] };
  }

  async reset(options: StartVmOptions = {}): Promise<TrackingOutcome> {
    checkStart('reset', options);
    return settled(await reset(await this.#roomyTarget(options), start(options)));
  }

  async disable(options: DisksOptions = {}): Promise<TrackingOutcome> {
    checkDisks('disable', options);
    return settled(await disable(this.#target(options), { signal: options.signal }));
  }

  async forget(point: string | Instant, options: DisksOptions = {}): Promise<TrackingOutcome> {
    checkDisks('forget', options);
    const parsed = parsePoint('point', point);
    return settled(await forget(this.#target(options), { point: parsed, signal: options.signal }));
  }

  async undo(pit: string, options: DisksOptions = {}): Promise<TrackingOutcome> {
    checkDisks('undo', options);
    return settled(await undo(this.#target(options), { pit, signal: options.signal }));
  }

  async begin(options: BeginVmOptions = {}): Promise<Session> {
    checkBegin(options);
    const { client, sources } = this.#live();
    // QEMU has one NBD server, and the session wants it.
    const released = Promise.all([...sources].map((source) => source.release()));
    await untilAborted(released, options.signal, 'letting go of it');
    const nbdSocket = options.nbdSocket ?? this.#nbdSocket;
    const beginning = beginSession(client, this.#openInstant, { ...options, nbdSocket });
    // A detached one is whoever's who ends it.
    return options.detached ? beginning : this.#begun.add(beginning);
  }

  async resume(pit: string, options: CallOptions = {}): Promise<Session> {
    checkCall('resume', options);
    return resumeSession(this.#live().client, pit, this.#openInstant, options);
  }

  async qmp(command: string, args?: object, options: CallOptions = {}): Promise<unknown> {
    return this.#live().client.execute(command, args, { signal: options.signal });
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.#begun.end();
      await Promise.all([...this.#opened].map((source) => source.close()));
    } finally {
      await releaseConnection(this.#connection);
    }
  }

  #live(): VmConnection {
    if (this.#closing !== null)
      throw new CbtError('ERR_CBT_CLOSED', `the VM at ${this.#connection.address} is closed`);
    return this.#connection;
  }

  #target({ disks }: DisksOptions): QmpTrackingTarget {
    return new QmpTrackingTarget({ client: this.#live().client, names: disks });
  }

  /** What cannot be stored is not begun: with one bitmap that does not fit, QEMU loses those of others too. */
  async #roomyTarget({ granularityBytes, signal, ...options }: StartVmOptions): Promise<QmpTrackingTarget> {
    const target = this.#target(options);
    for (const tracked of await target.disks(signal)) {
      if ('error' in tracked) continue;
      const short = await findShortOfRoom(target.nodeOf(tracked.disk), { granularityBytes, signal });
      if (short !== null) throw short.about(tracked.disk);
    }
    return target;
  }

  readonly #openInstant = async (session: LiveSession, disk: LeaseDisk): Promise<TrackedDisk> =>
    this.#open(
      disk.disk,
      (disks) => findByNode(disks, disk.node),
      {
        socket: session.lease.nbdSocket,
        exportName: session.exportName(disk),
        check: (signal) => session.check(disk.disk, { signal }),
      },
      session.pit,
    );

  #open(
    called: string,
    find: (disks: readonly VmDisk[]) => VmDisk | null,
    instant: InstantExport | null,
    pit: string | null = null,
  ): TrackedDisk {
    const { client, sources } = this.#live();
    const source = new LiveDiskSource({
      client,
      server: this.#server,
      kernel: this.#kernel,
      disk: called,
      find,
      ...(instant && { instant }),
      onClose: (closed) => {
        sources.delete(closed);
        this.#opened.delete(closed);
      },
    });
    sources.add(source);
    this.#opened.add(source);
    return new TrackedDisk(source, this.#kernel, pit);
  }
}

function start(options: StartVmOptions) {
  const { granularityBytes, signal } = options;
  const pit = options.pit === undefined ? randomUUID() : requireUuid('pit', options.pit);
  return { pit, granularityBytes, signal, drawUuid: randomUUID };
}

function describe(disk: VmDisk): VmDiskInfo {
  const {
    id,
    formatNode,
    filename,
    sizeBytes,
    format,
    persistentCapable,
    layers,
    deviceId,
    qdevPath,
    deviceType,
  } = disk;
  return {
    disk: id,
    ...(formatNode !== undefined && { node: formatNode }),
    ...(deviceId !== undefined && { deviceId }),
    ...(qdevPath !== undefined && { qdevPath }),
    ...(deviceType !== undefined && { deviceType }),
    ...(filename !== undefined && { filename }),
    ...(layers !== undefined &&
      layers.length > 1 && { backing: layers.slice(1).map((layer) => layer.filename) }),
    ...(sizeBytes !== undefined && { sizeBytes }),
    ...(format !== undefined && { format }),
    ...(persistentCapable !== undefined && { persistent: persistentCapable }),
    trackable: disk.trackable,
    ...(disk.trackable ? {} : { why: disk.why }),
  };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
