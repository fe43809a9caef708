/**
 * A connection to a libvirt of this machine, with the calls that we use. Any number of clients may have one at the same time; a domain's
 * calls wait for each other in libvirt.
 */
import { CbtError, invalidArgument } from '../../core/errors.js';
import { parseUuid } from '../../core/pointInTime.js';
import { connectUnix } from '../../linux/unixSocket.js';
import { checkTimeout, type WaitOptions } from '../../linux/waiting.js';
import type { LibvirtUri } from './libvirtUri.js';
import { LibvirtError, VIR_ERR } from './rpc/libvirtError.js';
import {
  type DomainRef,
  isLifecycleEvent,
  isMonitorEvent,
  type JobStats,
  type LifecycleEvent,
  type MonitorEvent,
  PROCEDURES,
  readAuthentication,
  readCheckpoints,
  readDomains,
  readInt,
  readJobStats,
  readLifecycleEvent,
  readMonitorEvent,
  readNothing,
  readOneDomain,
  readOptionalText,
  readState,
  readText,
  writeDomain,
} from './rpc/messages.js';
import { RpcClient } from './rpc/rpcClient.js';
import { type XdrReader, XdrWriter } from './rpc/xdr.js';

export type { DomainRef, JobStats, MonitorEvent } from './rpc/messages.js';

export interface LibvirtOptions extends WaitOptions {
  /** For connecting and opening together; 10 000 by default. */
  timeoutMs?: number | undefined;
}

const DEFAULT_CONNECT_MS = 10_000;
/** virConnectAuthType, as the list of ways tells them. */
const AUTH = { none: 0, sasl: 1, polkit: 2 } as const;
const XML_INACTIVE = 2;
/** virDomainDefineFlags. */
const DEFINE_VALIDATE = 1;

/** Hears the events of one domain's QEMU. */
export type MonitorListener = (event: MonitorEvent) => void;

/** By the number that libvirt gave each. */
interface Listeners {
  monitor: Map<number, MonitorListener>;
  lifecycle: Map<number, (event: LifecycleEvent) => void>;
}

export class Libvirt implements AsyncDisposable {
  readonly #rpc: RpcClient;
  readonly #events: Listeners;

  private constructor(
    readonly uri: LibvirtUri,
    rpc: RpcClient,
    events: Listeners,
  ) {
    this.#rpc = rpc;
    this.#events = events;
  }

  /** Connects to the first of the URI's sockets at which somebody listens. */
  static async connect(uri: LibvirtUri, options: LibvirtOptions = {}): Promise<Libvirt> {
    const timeoutMs = checkTimeout('timeoutMs', options.timeoutMs ?? DEFAULT_CONNECT_MS);
    const deadline = Date.now() + timeoutMs;
    const left = (): WaitOptions & { timeoutMs: number } => ({
      timeoutMs: Math.max(1, deadline - Date.now()),
      signal: options.signal,
    });
    const socket = await connectFirst(uri, left);
    const events: Listeners = { monitor: new Map(), lifecycle: new Map() };
    const rpc = new RpcClient(socket, {
      name: `libvirt ${uri.uri}`,
      onEvent: (program, procedure, body) => hear(events, program, procedure, body),
    });
    try {
      await authenticate(rpc, uri, left);
      const args = new XdrWriter().optional<string>(uri.opens, (text, to) => to.text(text));
      await rpc.call(PROCEDURES.open, args.unsigned(0).bytes(), readNothing, left());
      return new Libvirt(uri, rpc, events);
    } catch (error) {
      await rpc.close();
      throw error;
    }
  }

  get open(): boolean {
    return this.#rpc.open;
  }

  /** Resolves, with the reason, when the connection is closed (`ERR_CBT_CLOSED`) or lost. Never rejects. */
  get ended(): Promise<CbtError> {
    return this.#rpc.ended;
  }

  /** Every domain, running or off. */
  async domains(options?: WaitOptions): Promise<DomainRef[]> {
    const args = new XdrWriter().int(1).unsigned(0);
    return await this.#rpc.call(PROCEDURES.domains, args.bytes(), readDomains, options);
  }

  /** The domain of this name, or of this UUID where none is called so. */
  async domain(name: string, options?: WaitOptions): Promise<DomainRef> {
    const byName = await this.#find(PROCEDURES.domainByName, new XdrWriter().text(name), options);
    if (byName !== null) return byName;
    const uuid = parseUuid(name);
    const bytes = Buffer.from(uuid?.replaceAll('-', '') ?? '', 'hex');
    const byUuid =
      uuid === null ? null : await this.#find(PROCEDURES.domainByUuid, new XdrWriter().fixed(bytes), options);
    if (byUuid !== null) return byUuid;
    throw invalidArgument(
      'domain',
      name,
      `a domain of ${this.uri.uri}, by its name or UUID; ${await this.#those(options)}`,
    );
  }

  /** Whether it runs (paused or not) now. */
  async isActive(domain: DomainRef, options?: WaitOptions): Promise<boolean> {
    const args = writeDomain(new XdrWriter(), domain).unsigned(0);
    const { state } = await this.#rpc.call(PROCEDURES.domainState, args.bytes(), readState, options);
    // virDomainState: 5 is off, 6 crashed, which is off as well.
    return state !== 5 && state !== 6;
  }

  /** Whether its RAM was saved (`virsh managedsave`): its next start goes on with that, over disks that must be what they were then. */
  async hasManagedSave(domain: DomainRef, options?: WaitOptions): Promise<boolean> {
    const args = writeDomain(new XdrWriter(), domain).unsigned(0);
    return (await this.#rpc.call(PROCEDURES.hasManagedSave, args.bytes(), readInt, options)) !== 0;
  }

  /** Its XML: of what runs, or (`inactive`, or while it is off) of what starts next. */
  async xml(domain: DomainRef, options: WaitOptions & { inactive?: boolean } = {}): Promise<string> {
    const args = writeDomain(new XdrWriter(), domain).unsigned(options.inactive ? XML_INACTIVE : 0);
    return await this.#rpc.call(PROCEDURES.domainXml, args.bytes(), readText, options);
  }

  /** Names of the domain's checkpoints. */
  async checkpoints(domain: DomainRef, options?: WaitOptions): Promise<string[]> {
    const args = writeDomain(new XdrWriter(), domain).int(1).unsigned(0);
    return await this.#rpc.call(PROCEDURES.checkpoints, args.bytes(), readCheckpoints, options);
  }

  async checkpointXml(domain: DomainRef, name: string, options?: WaitOptions): Promise<string> {
    const args = writeDomain(new XdrWriter().text(name), domain).unsigned(0);
    return await this.#rpc.call(PROCEDURES.checkpointXml, args.bytes(), readText, options);
  }

  /**
   * Makes a domain, which is off, from XML that fits libvirt's schema. One that has its name **and** UUID is made anew by it: whoever does not
   * want that has to look first. One that has either is libvirt's error.
   */
  async define(xml: string, options?: WaitOptions): Promise<DomainRef> {
    const args = new XdrWriter().text(xml).unsigned(DEFINE_VALIDATE);
    return await this.#rpc.call(PROCEDURES.define, args.bytes(), readOneDomain, options);
  }

  /** One QMP command as JSON; QEMU's answer as JSON, a refusal of QEMU's as well. */
  async monitorCommand(domain: DomainRef, json: string, options?: WaitOptions): Promise<string> {
    const args = writeDomain(new XdrWriter(), domain).text(json).unsigned(0);
    return await this.#rpc.call(PROCEDURES.monitorCommand, args.bytes(), readText, options);
  }

  /** Every event of the domain's QEMU from now on; the result stops that. */
  async onMonitorEvents(
    domain: DomainRef,
    listener: MonitorListener,
    options?: WaitOptions,
  ): Promise<() => Promise<void>> {
    const args = new XdrWriter();
    args
      .optional(domain, (one) => writeDomain(args, one))
      .optional<string>(null, () => undefined)
      .unsigned(0);
    const read = (reply: XdrReader): number => {
      const number = readInt(reply);
      this.#events.monitor.set(number, listener);
      return number;
    };
    const callback = await this.#rpc.call(PROCEDURES.monitorEvents, args.bytes(), read, options);
    return async () => {
      if (!this.#events.monitor.delete(callback) || !this.open) return;
      await this.#rpc.call(PROCEDURES.noMonitorEvents, new XdrWriter().int(callback).bytes(), readNothing);
    };
  }

  /** Calls `stopped` when the domain's QEMU ends, in words; from now on, until the connection ends. */
  async onStop(domain: DomainRef, stopped: (why: string) => void, options?: WaitOptions): Promise<void> {
    const args = new XdrWriter().int(LIFECYCLE);
    args.optional(domain, (one) => writeDomain(args, one));
    const listen = ({ event, detail }: LifecycleEvent): void => {
      const why = endOf(event, detail);
      if (why !== null) stopped(why);
    };
    // The first event may follow the reply at once.
    const read = (reply: XdrReader): unknown => this.#events.lifecycle.set(readInt(reply), listen);
    await this.#rpc.call(PROCEDURES.domainEvents, args.bytes(), read, options);
  }

  /** What libvirt itself is doing to the domain. */
  async job(domain: DomainRef, options?: WaitOptions): Promise<JobStats> {
    const args = writeDomain(new XdrWriter(), domain).unsigned(0);
    return await this.#rpc.call(PROCEDURES.jobStats, args.bytes(), readJobStats, options);
  }

  /** One command to the guest's agent, as JSON; null where it answers nothing. */
  async agentCommand(
    domain: DomainRef,
    json: string,
    seconds: number,
    options?: WaitOptions,
  ): Promise<string | null> {
    const args = writeDomain(new XdrWriter(), domain).text(json).int(seconds).unsigned(0);
    return await this.#rpc.call(PROCEDURES.agentCommand, args.bytes(), readOptionalText, options);
  }

  /** Freezes the guest's file systems by its agent; how many. */
  async freeze(domain: DomainRef, options?: WaitOptions): Promise<number> {
    const args = writeDomain(new XdrWriter(), domain).unsigned(0).unsigned(0);
    return await this.#rpc.call(PROCEDURES.freeze, args.bytes(), readInt, options);
  }

  /** Thaws them again; how many. */
  async thaw(domain: DomainRef, options?: WaitOptions): Promise<number> {
    const args = writeDomain(new XdrWriter(), domain).unsigned(0).unsigned(0);
    return await this.#rpc.call(PROCEDURES.thaw, args.bytes(), readInt, options);
  }

  async close(): Promise<void> {
    await this.#rpc.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #find(
    procedure: (typeof PROCEDURES)['domainByName'],
    args: XdrWriter,
    options: WaitOptions | undefined,
  ): Promise<DomainRef | null> {
    try {
      return await this.#rpc.call(procedure, args.bytes(), readOneDomain, options);
    } catch (error) {
      if (error instanceof LibvirtError && error.virErr === VIR_ERR.NO_DOMAIN) return null;
      throw error;
    }
  }

  async #those(options: WaitOptions | undefined): Promise<string> {
    const names = (await this.domains(options)).map(({ name }) => name);
    const some = names.slice(0, 20).join(', ');
    if (names.length === 0) return 'it has none';
    return `it has ${some}${names.length > 20 ? ` and ${names.length - 20} more` : ''}`;
  }
}

function hear(events: Listeners, program: number, procedure: number, body: XdrReader): void {
  if (isMonitorEvent(program, procedure)) {
    const event = readMonitorEvent(body);
    events.monitor.get(event.callback)?.(event);
  } else if (isLifecycleEvent(program, procedure)) {
    const event = readLifecycleEvent(body);
    events.lifecycle.get(event.callback)?.(event);
  }
}

/** virDomainEventID. */
const LIFECYCLE = 0;
/** virDomainEventType: 5 is stopped, 8 crashed; then virDomainEventStoppedDetailType. */
const STOPPED = 5;
const CRASHED = 8;
const ENDS: readonly string[] = [
  'the guest was shut down',
  'it was destroyed',
  'it crashed',
  'it was migrated to another host',
  'it was saved to a file',
  'it failed',
  'it was reverted to a snapshot',
];

function endOf(event: number, detail: number): string | null {
  if (event === STOPPED) return ENDS[detail] ?? 'it stopped';
  return event === CRASHED ? 'the guest crashed' : null;
}

async function connectFirst(
  { uri, sockets }: LibvirtUri,
  left: () => WaitOptions & { timeoutMs: number },
): Promise<Awaited<ReturnType<typeof connectUnix>>> {
  for (const socket of sockets) {
    try {
      return await connectUnix(socket, 'libvirt', left());
    } catch (error) {
      if (!(error instanceof CbtError) || !GONE.includes(String(error.details['errno']))) throw error;
    }
  }
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `no libvirt answers for ${uri}: nobody listens at ${sockets.join(' or ')}; is virtqemud or libvirtd running?`,
    { details: { uri } },
  );
}

const GONE: readonly string[] = ['ENOENT', 'ECONNREFUSED'];

async function authenticate(rpc: RpcClient, { uri }: LibvirtUri, left: () => WaitOptions): Promise<void> {
  const ways = await rpc.call(PROCEDURES.authentication, Buffer.alloc(0), readAuthentication, left());
  if (ways.length === 0 || ways.includes(AUTH.none)) return;
  if (!ways.includes(AUTH.polkit))
    throw new CbtError(
      'ERR_CBT_UNSUPPORTED',
      `${uri} asks for a user and password (SASL), which this version does not speak: run this as root, or let its socket be entered without (auth_unix_rw = "polkit" in libvirtd.conf)`,
      { details: { uri } },
    );
  try {
    await rpc.call(PROCEDURES.polkit, Buffer.alloc(0), readInt, left());
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${uri} does not let this user in: ${error.description}; run this as root, or as a member of the group libvirt`,
      { details: { uri }, cause: error },
    );
  }
}
