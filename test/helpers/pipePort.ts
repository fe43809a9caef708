/**
 * A second way to a QEMU, as another program that owns its monitor offers it: commands, answers and events as length-prefixed
 * messages over a pipe of its own, and a place for files that it names. What works through it hangs on no QMP socket.
 *
 *   PipePort ── [length][JSON] ──→ PipeOwner ── QMP ──→ QEMU
 */
import net from 'node:net';
import { PlainHost } from '../../lib/backend/qemu/plainHost.js';
import { EventHub, EventStream, firstEvent } from '../../lib/backend/qemu/qmp/eventHub.js';
import { QmpClient } from '../../lib/backend/qemu/qmp/qmpClient.js';
import { QmpCommandError } from '../../lib/backend/qemu/qmp/qmpError.js';
import type { QmpPort } from '../../lib/backend/qemu/qmp/qmpPort.js';
import type { QmpEvent } from '../../lib/backend/qemu/qmp/schemas.js';
import { CbtError, throwIfAborted } from '../../lib/core/errors.js';
import { checkTimeout, type WaitOptions, waitFor } from '../../lib/linux/waiting.js';

type Message =
  | { call: number; command: string; args?: object }
  | { call: number; value: unknown }
  | { call: number; refused: { class: string; text: string } }
  | { event: QmpEvent };

const COMMAND_MS = 60_000;

function send(socket: net.Socket, message: Message): void {
  const text = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(text.length);
  socket.write(Buffer.concat([head, text]));
}

function onMessage(socket: net.Socket, handle: (message: Message) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
      const end = 4 + rest.readUInt32BE();
      const message = JSON.parse(rest.toString('utf8', 4, end)) as Message;
      rest = rest.subarray(end);
      handle(message);
    }
  });
  socket.on('error', () => undefined);
}

/** Has a QEMU's monitor to itself, and serves any number of clients. */
export class PipeOwner {
  readonly #server = net.createServer((socket) => this.#serve(socket));
  readonly #clients = new Set<net.Socket>();

  private constructor(
    private readonly qemu: QmpClient,
    readonly path: string,
  ) {}

  static async start(qmpSocket: string, path: string): Promise<PipeOwner> {
    const owner = new PipeOwner(await QmpClient.connect(qmpSocket), path);
    await new Promise<void>((resolve) => owner.#server.listen(path, resolve));
    // With QEMU gone there is nothing more to pass on.
    owner.#tell().catch(() => owner.#drop());
    return owner;
  }

  async #tell(): Promise<void> {
    for await (const event of this.qemu.events()) for (const client of this.#clients) send(client, { event });
  }

  #serve(socket: net.Socket): void {
    this.#clients.add(socket);
    socket.once('close', () => this.#clients.delete(socket));
    onMessage(socket, (message) => {
      if (!('command' in message)) return;
      const { call, command, args } = message;
      this.qemu.execute(command, args).then(
        (value) => send(socket, { call, value }),
        (error: unknown) => {
          // Where it was not QEMU that refused, whether it happened is not known: whoever asked learns that the way is gone.
          if (!(error instanceof QmpCommandError)) return socket.destroySoon();
          send(socket, { call, refused: { class: error.qmpClass, text: error.description } });
        },
      );
    });
  }

  #drop(): void {
    for (const client of this.#clients) client.destroySoon();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#drop();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.qemu.close();
  }
}

/** The VM belongs to the pipe's owner: it has a name there, one folder for all files, and works of its own. */
export class OwnedHost extends PlainHost {
  /** Folders that were made QEMU's. */
  readonly owned: string[] = [];
  job: string | null = null;

  constructor(
    key: string,
    private readonly folder: string,
  ) {
    super(key, `pipe:${key}`);
  }

  override async placeFor(): Promise<string> {
    return this.folder;
  }

  override async placesToSearch(): Promise<string[]> {
    return [this.folder];
  }

  override async own(folder: string): Promise<void> {
    await super.own(folder);
    this.owned.push(folder);
  }

  override async otherJob(): Promise<string | null> {
    return this.job;
  }
}

export class PipePort implements QmpPort {
  readonly version = undefined;
  readonly ended: Promise<CbtError>;
  readonly #hub = new EventHub();
  readonly #open = new Map<number, { resolve: (value: unknown) => void; reject: (why: unknown) => void }>();
  #why: CbtError | null = null;
  #end: (why: CbtError) => void = () => undefined;
  #calls = 0;

  private constructor(
    private readonly socket: net.Socket,
    readonly host: OwnedHost,
  ) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    onMessage(socket, (message) => this.#take(message));
    socket.once('close', () => this.#shut(new CbtError('ERR_CBT_CONNECTION_LOST', 'the pipe is gone')));
  }

  static async connect(path: string, host: OwnedHost): Promise<PipePort> {
    const socket = net.connect(path);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new PipePort(socket, host);
  }

  get name(): string {
    return this.host.address;
  }

  get open(): boolean {
    return this.#why === null;
  }

  async execute(command: string, args?: object, { timeoutMs = COMMAND_MS, signal }: WaitOptions = {}) {
    checkTimeout('timeoutMs', timeoutMs);
    throwIfAborted(signal);
    if (this.#why !== null) throw this.#why;
    const call = ++this.#calls;
    return waitFor<unknown>(
      (resolve, reject) => {
        // As a monitor says it, the name of the command is not in the refusal.
        const refused = (why: unknown): void =>
          reject(why instanceof CbtError ? why : refusal(command, why as { class: string; text: string }));
        this.#open.set(call, { resolve, reject: refused });
        send(this.socket, { call, command, ...(args && { args }) });
        return () => void this.#open.delete(call);
      },
      {
        timeoutMs,
        signal,
        onTimeout: () =>
          new CbtError('ERR_CBT_TIMEOUT', `no answer to ${command}`, { details: { command, timeoutMs } }),
      },
    );
  }

  events(): EventStream {
    const stream = new EventStream(this.#hub, 1024);
    if (this.#why !== null) void stream.return();
    return stream;
  }

  waitEvent(
    fits: (event: QmpEvent) => boolean,
    { timeoutMs = COMMAND_MS, signal }: WaitOptions = {},
  ): Promise<QmpEvent> {
    const failure = (): CbtError | undefined => this.#why ?? undefined;
    return firstEvent(this.#hub, fits, { name: this.name, timeoutMs, signal, failure });
  }

  async close(): Promise<void> {
    this.#shut(new CbtError('ERR_CBT_CLOSED', 'closed by us'));
    this.socket.destroy();
  }

  /** As when what is at the other end of the pipe goes. */
  cut(): void {
    this.socket.destroy();
  }

  #take(message: Message): void {
    if ('event' in message) this.#hub.publish(message.event);
    else if ('value' in message) this.#open.get(message.call)?.resolve(message.value);
    else if ('refused' in message) this.#open.get(message.call)?.reject(message.refused);
  }

  #shut(why: CbtError): void {
    if (this.#why !== null) return;
    this.#why = why;
    this.#end(why);
    for (const { reject } of this.#open.values()) reject(why);
    this.#hub.end(why.code === 'ERR_CBT_CLOSED' ? undefined : why);
  }
}

function refusal(command: string, refused: { class: string; text: string }): QmpCommandError {
  return new QmpCommandError(command, refused.class, refused.text);
}
