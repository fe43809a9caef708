/**
 * One QMP connection (docs/interop/qmp-spec.txt): greeting, capabilities, commands matched to replies by id, events.
 *
 * QEMU runs the commands of a connection one after the other and answers in that order (out-of-band execution is never
 * asked for), so a reply must carry the id of the oldest open command; any other is a protocol error and ends the
 * connection. Only a connection that begins may meet the reply of a command that it never sent: one that was running when
 * the client before went away. QEMU answers it before it answers `qmp_capabilities`, whose id is therefore unique and not
 * just unique here; until then strange replies are dropped. A client never reconnects by itself: what was pending may or may not have happened, and QEMU may be
 * another one by now. Whoever wants to go on connects anew and looks at the state first.
 */
import { randomUUID } from 'node:crypto';
import type net from 'node:net';
import { CbtError, throwIfAborted } from '../../../core/errors.js';
import { connectUnix } from '../../../linux/unixSocket.js';
import { checkTimeout, type WaitOptions, waitFor } from '../../../linux/waiting.js';
import { redacted } from '../../../watch/redacted.js';
import { traced } from '../../../watch/tracing.js';
import { PlainHost } from '../plainHost.js';
import type { QemuHost } from '../qemuHost.js';
import { breach, connectionLost, noGreeting, speaksOddly } from './connectionErrors.js';
import { EventHub, EventStream, firstEvent } from './eventHub.js';
import {
  DEFAULT_MAX_LINE_BYTES,
  encodeMessage,
  LineDecoder,
  type Message,
  parseMessage,
} from './lineCodec.js';
import { QmpCommandError } from './qmpError.js';
import type { QmpPort } from './qmpPort.js';
import {
  describeIssues,
  errorReply,
  greeting,
  type QemuVersion,
  type QmpEvent,
  qmpEvent,
} from './schemas.js';

export interface QmpOptions extends WaitOptions {
  /** For connecting, greeting and capabilities together; 10 000 by default. */
  timeoutMs?: number | undefined;
  /** For each command that names none of its own; 60 000 by default (a transaction drains guest I/O first). */
  commandTimeoutMs?: number | undefined;
  /** Largest reply or event, 64 MiB by default. */
  maxLineBytes?: number | undefined;
  /** Unread events that one `events()` keeps, 1024 by default; one more ends it with an error. */
  maxBufferedEvents?: number | undefined;
  /** The other end in messages; the socket path by default. */
  name?: string | undefined;
  /** Where its QEMU runs, asked once it answers; nothing is known of that by default. */
  host?: ((port: QmpPort) => Promise<QemuHost>) | undefined;
}

interface Pending {
  id: string;
  command: string;
  /** Undefined once the caller stopped waiting: the reply is then dropped. */
  settle: { resolve: (value: unknown) => void; reject: (error: CbtError) => void } | undefined;
}

const DEFAULT_CONNECT_MS = 10_000;
const DEFAULT_COMMAND_MS = 60_000;
const DEFAULT_MAX_BUFFERED_EVENTS = 1024;

export class QmpClient implements QmpPort, AsyncDisposable {
  /** The socket path, or what the caller called this connection. */
  readonly name: string;
  host: QemuHost;
  /** As the greeting told it; for messages only, never to decide what QEMU can do. */
  version: QemuVersion | undefined;

  private readonly decoder: LineDecoder;
  private readonly hub = new EventHub();
  private readonly commandTimeoutMs: number;
  private readonly maxBufferedEvents: number;
  private readonly pending: Pending[] = [];
  private onGreeting: ((message: Message) => void) | undefined;
  private nextId = 1;
  private negotiated = false;
  /** Why nothing more can be asked; set once. */
  private failure: CbtError | undefined;
  private readonly failed: Promise<CbtError>;
  private fail: (error: CbtError) => void = () => undefined;

  private constructor(
    private readonly socket: net.Socket,
    options: QmpOptions,
  ) {
    this.name = options.name ?? 'QMP monitor';
    this.host = new PlainHost(this.name);
    this.decoder = new LineDecoder(options.maxLineBytes ?? DEFAULT_MAX_LINE_BYTES);
    this.commandTimeoutMs = checkTimeout('commandTimeoutMs', options.commandTimeoutMs ?? DEFAULT_COMMAND_MS);
    this.maxBufferedEvents = options.maxBufferedEvents ?? DEFAULT_MAX_BUFFERED_EVENTS;
    this.failed = new Promise((resolve) => {
      this.fail = resolve;
    });
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('error', (error) => this.shut(this.lost(error.message, error)));
    socket.on('end', () => this.shut(this.lost('closed by the other end')));
    socket.on('close', () => this.shut(this.lost('closed by the other end')));
    if (socket.destroyed) this.shut(this.lost('the socket given was closed already'));
  }

  /**
   * Connects and negotiates. QMP serves one client at a time: when another one (libvirt, say) holds the monitor there
   * is no greeting, and this ends in ERR_CBT_TIMEOUT with reason BUSY.
   */
  static async connect(target: string | net.Socket, options: QmpOptions = {}): Promise<QmpClient> {
    const timeoutMs = checkTimeout('timeoutMs', options.timeoutMs ?? DEFAULT_CONNECT_MS);
    const { signal } = options;
    throwIfAborted(signal);
    const deadline = Date.now() + timeoutMs;
    const socket =
      typeof target === 'string' ? await connectUnix(target, 'QMP monitor', { timeoutMs, signal }) : target;
    const name = options.name ?? (typeof target === 'string' ? target : undefined);
    const client = new QmpClient(socket, { ...options, name });
    try {
      await client.negotiate(Math.max(1, deadline - Date.now()), signal);
      if (options.host !== undefined) client.host = await options.host(client);
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** True until the connection is closed or lost. */
  get open(): boolean {
    return this.failure === undefined;
  }

  /** Resolves, with the reason, when the connection is closed (ERR_CBT_CLOSED) or lost. Never rejects. */
  get ended(): Promise<CbtError> {
    return this.failed;
  }

  /**
   * Runs one command and gives its `return` unchecked; `qmp()` of commands.ts checks it. A reply that comes after the
   * time-out or the abort is dropped; the command may still have taken effect.
   */
  execute(command: string, args?: object, options: WaitOptions = {}): Promise<unknown> {
    const begun = () => ({
      operation: command,
      vm: this.host.key,
      arguments: redacted(command, args),
    });
    return traced('qemu-cbt:qmp', begun, async () => this.send(command, args, options));
  }

  /** Every event from this call on. Call it before sending the command whose events must not be missed. */
  events(): EventStream {
    const stream = new EventStream(this.hub, this.maxBufferedEvents);
    if (this.failure !== undefined) void stream.return();
    return stream;
  }

  /**
   * The first event from this call on that fits. It listens from the moment of the call: call it, send the command,
   * then await it. The promise may be dropped; it never ends as an unhandled rejection.
   */
  waitEvent(predicate: (event: QmpEvent) => boolean, options: WaitOptions = {}): Promise<QmpEvent> {
    return firstEvent(this.hub, predicate, {
      name: this.name,
      timeoutMs: options.timeoutMs ?? this.commandTimeoutMs,
      signal: options.signal,
      failure: () => this.failure,
    });
  }

  /** Closes the connection; what is pending ends in ERR_CBT_CLOSED. QEMU goes on with what it has begun. */
  async close(): Promise<void> {
    this.shut(new CbtError('ERR_CBT_CLOSED', `the connection to ${this.name} was closed by us`));
    if (!this.socket.closed) await new Promise<void>((resolve) => this.socket.once('close', () => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async negotiate(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    const hello = await waitFor<Message>(
      (resolve, reject) => {
        this.onGreeting = resolve;
        void this.failed.then(reject);
        return () => undefined;
      },
      { timeoutMs, signal, onTimeout: () => noGreeting(this.name, timeoutMs) },
    );
    const checked = greeting.safeParse(hello);
    if (!checked.success) {
      throw speaksOddly(this.name, `its first line is no QMP greeting (${describeIssues(checked.error)})`);
    }
    this.version = checked.data.QMP.version;
    const left = { timeoutMs: Math.max(1, deadline - Date.now()), signal };
    await this.send('qmp_capabilities', undefined, left, randomUUID());
  }

  private send(
    command: string,
    args: object | undefined,
    options: WaitOptions,
    // Short: QEMU before 10.1 reads a monitor byte by byte, a turn of its main loop each.
    id = String(this.nextId++),
  ): Promise<unknown> {
    const timeoutMs = checkTimeout('timeoutMs', options.timeoutMs ?? this.commandTimeoutMs);
    throwIfAborted(options.signal);
    if (this.failure !== undefined) throw this.failure;
    const bytes = encodeMessage({ execute: command, ...(args === undefined ? {} : { arguments: args }), id });
    const entry: Pending = { id, command, settle: undefined };
    this.pending.push(entry);
    return waitFor<unknown>(
      (resolve, reject) => {
        entry.settle = { resolve, reject };
        this.socket.write(bytes);
        return () => {
          entry.settle = undefined;
        };
      },
      {
        timeoutMs,
        signal: options.signal,
        onTimeout: () =>
          new CbtError('ERR_CBT_TIMEOUT', `${this.name} did not answer ${command} in ${timeoutMs} ms`, {
            details: { command, socket: this.name, timeoutMs },
          }),
      },
    );
  }

  private receive(chunk: Uint8Array): void {
    if (this.failure !== undefined) return;
    try {
      for (const line of this.decoder.push(chunk)) {
        this.dispatch(parseMessage(line));
        if (this.failure !== undefined) return;
      }
    } catch (error) {
      this.shut(speaksOddly(this.name, error instanceof Error ? error.message : String(error), error));
    }
  }

  private dispatch(message: Message): void {
    const { onGreeting } = this;
    if (onGreeting !== undefined) {
      // Meant for the client before, and written just as this one was let in.
      if ('event' in message || 'return' in message || 'error' in message) return;
      this.onGreeting = undefined;
      onGreeting(message);
    } else if ('event' in message) {
      const checked = qmpEvent.safeParse(message);
      if (!checked.success) throw breach(`an event breaks its form: ${describeIssues(checked.error)}`);
      this.hub.publish(checked.data);
    } else if ('return' in message || 'error' in message) {
      this.reply(message);
    } else {
      throw breach(
        `a message is neither reply nor event (members: ${Object.keys(message).slice(0, 5).join(', ')})`,
      );
    }
  }

  private reply(message: Message): void {
    const oldest = this.pending[0];
    if (!this.negotiated) {
      if (message['id'] !== oldest?.id || oldest === undefined) return;
      this.negotiated = true;
    }
    const failed = 'error' in message ? errorReply.safeParse(message) : undefined;
    if (failed?.success === false) throw breach(`an error breaks its form: ${describeIssues(failed.error)}`);
    if (oldest === undefined || message['id'] !== oldest.id) {
      const text = failed === undefined ? '' : `: ${failed.data.error.desc}`;
      const expected =
        oldest === undefined ? 'no command is open' : `expected ${oldest.id} (${oldest.command})`;
      const id = typeof message['id'] === 'string' ? message['id'].slice(0, 80) : 'none of ours';
      throw breach(`a reply has id ${id}, ${expected}${text}`);
    }
    this.pending.shift();
    if (failed === undefined) oldest.settle?.resolve(message['return']);
    else
      oldest.settle?.reject(
        new QmpCommandError(oldest.command, failed.data.error.class, failed.data.error.desc),
      );
  }

  /** Ends the connection once; the first reason is the one everybody gets. */
  private shut(error: CbtError): void {
    if (this.failure === undefined) {
      this.failure = error;
      this.fail(error);
      for (const { settle } of this.pending.splice(0)) settle?.reject(error);
      this.hub.end(error.code === 'ERR_CBT_CLOSED' ? undefined : error);
    }
    this.socket.destroy();
  }

  private lost(why: string, cause?: unknown): CbtError {
    const state = {
      greeted: this.version !== undefined,
      agreed: this.negotiated,
      cutBytes: this.decoder.pendingBytes,
    };
    return connectionLost(this.name, why, state, cause);
  }
}
