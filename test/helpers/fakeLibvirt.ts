/**
 * A libvirt daemon in this process: its RPC over a socket, and domains whose monitors are QMP sockets of real QEMUs, or that are off. It
 * keeps the contract that the real one keeps (test/contract/libvirt.ts), and does on demand what a real one hardly can be brought to.
 */
import { rm } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  KINDS,
  STATUS,
} from '../../lib/backend/libvirt/rpc/frames.js';
import { VIR_ERR } from '../../lib/backend/libvirt/rpc/libvirtError.js';
import {
  type DomainRef,
  PROCEDURES,
  readDomain,
  writeDomain,
} from '../../lib/backend/libvirt/rpc/messages.js';
import { XdrReader, XdrWriter } from '../../lib/backend/libvirt/rpc/xdr.js';
import { QmpClient } from '../../lib/backend/qemu/qmp/qmpClient.js';
import { QmpCommandError } from '../../lib/backend/qemu/qmp/qmpError.js';
import { makeFolder } from './qemuProcess.js';

export interface FakeDomain {
  name: string;
  uuid: string;
  xml: string;
  /** QMP socket of its QEMU; null while it is off. */
  qmp: string | null;
  /** Whether its RAM was saved. */
  saved?: boolean;
}

/** What libvirt answers with an error. */
class Refused extends Error {
  constructor(
    readonly virErr: number,
    message: string,
  ) {
    super(message);
  }
}

const MAX = 4 << 20;
const STOPPED = 5;
const DESTROYED = 1;
const FAILED = 5;
const TOLD_MS = 20;

export class FakeLibvirt {
  /** Ways to authenticate that it offers. */
  authentication = [0];
  /** Bytes that it sends in place of each reply, where a test says so. */
  garble: ((reply: Buffer) => Buffer) | null = null;
  calls: string[] = [];
  /** Calls of this name get no answer. */
  hold: keyof typeof PROCEDURES | null = null;
  held = 0;
  /** How long each answer takes. */
  answerMs = 0;
  /** File systems of its guests that are frozen; null: no guest has an agent. */
  frozen: number | null = 0;
  /** How many a guest has. */
  fileSystems = 2;

  readonly #domains = new Map<string, FakeDomain & { id: number; monitor: QmpClient | null }>();
  readonly #clients = new Set<Client>();
  #nextId = 1;

  private constructor(
    readonly path: string,
    private readonly folder: string,
    private readonly server: net.Server,
  ) {}

  static async start(domains: readonly FakeDomain[] = []): Promise<FakeLibvirt> {
    const folder = await makeFolder();
    const server = net.createServer();
    const fake = new FakeLibvirt(join(folder, 'libvirt-sock'), folder, server);
    server.on('connection', (socket) => {
      if (fake.away) socket.on('error', () => undefined).destroy();
      else fake.#clients.add(new Client(fake, socket));
    });
    await new Promise<void>((resolve) => server.listen(fake.path, resolve));
    for (const domain of domains) await fake.add(domain);
    return fake;
  }

  get uri(): string {
    return `qemu:///system?socket=${this.path}`;
  }

  async add(domain: FakeDomain): Promise<void> {
    const monitor = domain.qmp === null ? null : await QmpClient.connect(domain.qmp);
    const id = monitor === null ? -1 : this.#nextId++;
    const added = { ...domain, id, monitor };
    this.#domains.set(domain.uuid, added);
    if (monitor !== null) void this.#passOn(added, monitor);
  }

  rename(uuid: string, name: string): void {
    this.#require(uuid).name = name;
  }

  /** As `virsh managedsave` leaves a domain. */
  save(uuid: string): void {
    this.#require(uuid).saved = true;
  }

  /** As `virsh destroy` would, but that its QEMU lives on. */
  async stop(uuid: string): Promise<void> {
    const domain = this.#require(uuid);
    await domain.monitor?.close();
    this.#stopped(domain, DESTROYED);
  }

  #stopped(domain: FakeDomain & { id: number }, why: number): void {
    const ref = refOf(domain);
    Object.assign(domain, { id: -1, monitor: null });
    for (const client of this.#clients) client.tellLifecycle(ref, STOPPED, why);
  }

  /** Ends every connection, as a daemon that is restarted does. */
  drop(): void {
    for (const client of this.#clients) client.socket.destroy();
    this.#clients.clear();
  }

  /** Asks every client whether it is still there, as libvirt does. */
  ping(): void {
    for (const client of this.#clients)
      client.send({ program: KEEPALIVE, procedure: 1, kind: KINDS.event, serial: 0, status: 0 });
  }

  /** Whether it takes no connections. */
  away = false;

  /** Pongs that came. */
  pongs = 0;

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop();
    for (const { monitor } of this.#domains.values()) await monitor?.close();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    await rm(this.folder, { recursive: true, force: true });
  }

  /** @internal What a call answers. */
  async answer(procedure: number, program: number, args: XdrReader, client: Client): Promise<Buffer> {
    const known = Object.entries(PROCEDURES).find(
      ([, one]) => one.number === procedure && one.program === program,
    );
    const name = (known?.[0] ?? '') as keyof typeof PROCEDURES | '';
    this.calls.push(name);
    const out = new XdrWriter();
    if (name !== '' && name === this.hold) {
      this.held += 1;
      return new Promise(() => undefined);
    }
    switch (name) {
      case 'authentication':
        return out.list(this.authentication, (way) => out.int(way)).bytes();
      case 'polkit':
        throw new Refused(VIR_ERR.AUTH_FAILED, 'authentication unavailable: no polkit agent');
      case 'open':
        args.optional(() => args.text(MAX));
        return out.bytes();
      case 'domains': {
        const all = [...this.#domains.values()].map(refOf);
        return out
          .list(all, (ref) => writeDomain(out, ref))
          .unsigned(all.length)
          .bytes();
      }
      case 'domainByName': {
        const wanted = args.text(MAX);
        const found = [...this.#domains.values()].find((one) => one.name === wanted);
        if (found === undefined)
          throw new Refused(VIR_ERR.NO_DOMAIN, `no domain with matching name '${wanted}'`);
        return writeDomain(out, refOf(found)).bytes();
      }
      case 'domainByUuid':
        return writeDomain(out, refOf(this.#require(uuidOf(args.fixed(16))))).bytes();
      case 'domainState':
        return out
          .int(this.#of(args).monitor === null ? 5 : 1)
          .int(0)
          .bytes();
      case 'hasManagedSave':
        return out.int(this.#of(args).saved === true ? 1 : 0).bytes();
      case 'domainXml':
        return out.text(this.#of(args).xml).bytes();
      case 'checkpoints':
        this.#of(args);
        return out.unsigned(0).int(0).bytes();
      case 'jobStats':
        this.#of(args);
        return out.int(0).unsigned(0).bytes();
      case 'monitorCommand':
        return out.text(await this.#command(this.#of(args), args.text(MAX))).bytes();
      case 'agentCommand':
        this.#of(args);
        this.#requireAgent();
        return out
          .optional(JSON.stringify({ return: this.frozen === 0 ? 'thawed' : 'frozen' }), (text) =>
            out.text(text),
          )
          .bytes();
      case 'freeze':
        this.#requireAgent();
        this.frozen = this.fileSystems;
        return out.int(this.fileSystems).bytes();
      case 'thaw': {
        this.#requireAgent();
        const thawed = this.frozen ?? 0;
        this.frozen = 0;
        return out.int(thawed).bytes();
      }
      case 'monitorEvents':
        return out
          .int(
            client.listen(
              'monitor',
              args.optional(() => readDomain(args)),
            ),
          )
          .bytes();
      case 'domainEvents':
        args.int();
        return out
          .int(
            client.listen(
              'lifecycle',
              args.optional(() => readDomain(args)),
            ),
          )
          .bytes();
      case 'noMonitorEvents':
        client.ignore(args.int());
        return out.bytes();
      default:
        throw new Refused(39, `unknown procedure: ${procedure}`);
    }
  }

  #requireAgent(): void {
    if (this.frozen === null)
      throw new Refused(VIR_ERR.ARGUMENT_UNSUPPORTED, 'QEMU guest agent is not configured');
  }

  async #command({ monitor }: { monitor: QmpClient | null }, json: string): Promise<string> {
    if (monitor === null)
      throw new Refused(VIR_ERR.OPERATION_INVALID, 'Requested operation is not valid: domain is not running');
    const { execute, arguments: given } = JSON.parse(json);
    try {
      return JSON.stringify({ return: await monitor.execute(execute, given), id: 'libvirt-7' });
    } catch (error) {
      if (!(error instanceof QmpCommandError))
        throw new Refused(VIR_ERR.SYSTEM_ERROR, 'Unable to read from monitor: Connection reset by peer');
      return JSON.stringify({ error: { class: error.qmpClass, desc: error.description }, id: 'libvirt-7' });
    }
  }

  async #passOn(domain: FakeDomain & { id: number }, monitor: QmpClient): Promise<void> {
    try {
      for await (const event of monitor.events())
        for (const client of this.#clients) client.tellMonitor(refOf(domain), event);
    } catch {
      // Its QEMU ended. The real one, too, tells that only after a while.
      await delay(TOLD_MS);
      this.#stopped(domain, FAILED);
    }
  }

  #of(args: XdrReader): FakeDomain & { id: number; monitor: QmpClient | null } {
    return this.#require(readDomain(args).uuid);
  }

  #require(uuid: string): FakeDomain & { id: number; monitor: QmpClient | null } {
    const found = this.#domains.get(uuid);
    if (found === undefined) throw new Refused(VIR_ERR.NO_DOMAIN, `no domain with matching uuid '${uuid}'`);
    return found;
  }
}

const KEEPALIVE = 0x6b656570;
type Head = Omit<Frame, 'body' | 'version'>;

class Client {
  readonly #decoder = new FrameDecoder();
  readonly #listeners = new Map<number, { kind: 'monitor' | 'lifecycle'; domain: DomainRef | null }>();

  constructor(
    private readonly fake: FakeLibvirt,
    readonly socket: net.Socket,
  ) {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const frame of this.#decoder.push(chunk)) void this.#hear(frame);
    });
  }

  listen(kind: 'monitor' | 'lifecycle', domain: DomainRef | null): number {
    const number = this.#listeners.size + 1;
    this.#listeners.set(number, { kind, domain });
    return number;
  }

  ignore(number: number): void {
    this.#listeners.delete(number);
  }

  tellMonitor(
    domain: DomainRef,
    {
      event,
      data,
      timestamp,
    }: { event: string; data?: object | undefined; timestamp: { seconds: number; microseconds: number } },
  ): void {
    for (const number of this.#of('monitor', domain)) {
      const out = new XdrWriter().int(number);
      writeDomain(out, domain)
        .text(event)
        .unsigned(0)
        .unsigned(timestamp.seconds)
        .unsigned(timestamp.microseconds);
      out.optional(data === undefined ? null : JSON.stringify(data), (text) => out.text(text));
      this.send(
        { program: PROCEDURES.monitorEvents.program, procedure: 6, kind: KINDS.event, serial: 0, status: 0 },
        out.bytes(),
      );
    }
  }

  tellLifecycle(domain: DomainRef, event: number, detail: number): void {
    for (const number of this.#of('lifecycle', domain)) {
      const out = writeDomain(new XdrWriter().int(number), domain).int(event).int(detail);
      this.send(
        { program: PROCEDURES.domainEvents.program, procedure: 318, kind: KINDS.event, serial: 0, status: 0 },
        out.bytes(),
      );
    }
  }

  send(head: Head, body: Buffer = Buffer.alloc(0)): void {
    const bytes = encodeFrame({ ...head, version: 1, body });
    this.socket.write(this.fake.garble?.(bytes) ?? bytes);
  }

  async #hear({ program, procedure, serial, body }: Frame): Promise<void> {
    if (program === KEEPALIVE) {
      this.fake.pongs += 1;
      return;
    }
    const head = { program, procedure, kind: KINDS.reply, serial };
    try {
      if (this.fake.answerMs > 0) await delay(this.fake.answerMs);
      const reply = await this.fake.answer(procedure, program, new XdrReader(body, 'call'), this);
      this.send({ ...head, status: STATUS.ok }, reply);
    } catch (error) {
      const { virErr = 1, message } = error as Refused;
      const out = new XdrWriter().int(virErr).int(0);
      out.optional(message, (text) => out.text(text)).int(2);
      // No domain, three texts, two numbers, no network.
      out.unsigned(0).unsigned(0).unsigned(0).unsigned(0).int(0).int(0).unsigned(0);
      this.send({ ...head, status: STATUS.error }, out.bytes());
    }
  }

  *#of(kind: 'monitor' | 'lifecycle', { uuid }: DomainRef): Generator<number> {
    for (const [number, { kind: its, domain }] of this.#listeners)
      if (its === kind && (domain === null || domain.uuid === uuid)) yield number;
  }
}

function refOf({ name, uuid, id }: { name: string; uuid: string; id: number }): DomainRef {
  return { name, uuid, id };
}

function uuidOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
