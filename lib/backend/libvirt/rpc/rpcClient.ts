/**
 * One connection to a libvirt daemon: calls matched to replies by their serial, events, and the answer to its question whether we
 * are still there. Replies come in any order. Like a QMP client it never reconnects by itself: what was pending may or may not have happened.
 */
import type net from 'node:net';
import { CbtError, throwIfAborted } from '../../../core/errors.js';
import { checkTimeout, type WaitOptions, waitFor } from '../../../linux/waiting.js';
import { encodeFrame, type Frame, FrameDecoder, KINDS, STATUS } from './frames.js';
import { readError } from './libvirtError.js';
import { breach, XdrReader } from './xdr.js';

/** A procedure of one of libvirt's programs; `name` is for messages. */
export interface Procedure {
  program: number;
  number: number;
  name: string;
}

/** Something that libvirt tells unasked. */
export type OnEvent = (program: number, procedure: number, body: XdrReader) => void;

export interface RpcOptions {
  /** The other end, in messages. */
  name: string;
  onEvent: OnEvent;
  /** For each call that names none of its own; 60 000 by default (libvirt waits 30 s for whoever has the domain). */
  callTimeoutMs?: number | undefined;
}

interface Pending {
  procedure: Procedure;
  /** Undefined once the caller stopped waiting: the reply is then dropped. */
  settle: { reply: (body: XdrReader) => void; reject: (error: CbtError) => void } | undefined;
}

const VERSION = 1;
const DEFAULT_CALL_MS = 60_000;
const MAX_SERIAL = 2 ** 32 - 1;

/** "keep": asked from time to time of who said that he answers, and answered by whoever is asked. */
const KEEPALIVE = { program: 0x6b656570, ping: 1, pong: 2 } as const;

export class RpcClient {
  readonly name: string;
  readonly #socket: net.Socket;
  readonly #onEvent: OnEvent;
  readonly #callTimeoutMs: number;
  readonly #decoder = new FrameDecoder();
  readonly #pending = new Map<number, Pending>();
  #nextSerial = 1;
  #failure: CbtError | undefined;
  readonly #failed: Promise<CbtError>;
  #fail: (error: CbtError) => void = () => undefined;

  constructor(socket: net.Socket, { name, onEvent, callTimeoutMs = DEFAULT_CALL_MS }: RpcOptions) {
    this.name = name;
    this.#socket = socket;
    this.#onEvent = onEvent;
    this.#callTimeoutMs = checkTimeout('callTimeoutMs', callTimeoutMs);
    this.#failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#shut(this.#lost(error.message, error)));
    socket.on('end', () => this.#shut(this.#lost('closed by the other end')));
    socket.on('close', () => this.#shut(this.#lost('closed by the other end')));
    if (socket.destroyed) this.#shut(this.#lost('the socket given was closed already'));
  }

  /** True until the connection is closed or lost. */
  get open(): boolean {
    return this.#failure === undefined;
  }

  /** Resolves, with the reason, when the connection is closed (`ERR_CBT_CLOSED`) or lost. Never rejects. */
  get ended(): Promise<CbtError> {
    return this.#failed;
  }

  /**
   * What the procedure returns, as `read` understands it; that is called before any later message is looked at. After a time-out or
   * an abort the call may still take effect.
   */
  async call<T>(
    procedure: Procedure,
    args: Buffer,
    read: (reply: XdrReader) => T,
    options: WaitOptions = {},
  ): Promise<T> {
    const timeoutMs = checkTimeout('timeoutMs', options.timeoutMs ?? this.#callTimeoutMs);
    throwIfAborted(options.signal);
    if (this.#failure !== undefined) throw this.#failure;
    const serial = this.#drawSerial();
    const { program, number } = procedure;
    const bytes = encodeFrame({
      program,
      version: VERSION,
      procedure: number,
      kind: KINDS.call,
      serial,
      status: STATUS.ok,
      body: args,
    });
    const entry: Pending = { procedure, settle: undefined };
    this.#pending.set(serial, entry);
    return waitFor<T>(
      (resolve, reject) => {
        const reply = (body: XdrReader): void => {
          try {
            resolve(read(body));
          } catch (error) {
            reject(error);
          }
        };
        entry.settle = { reply, reject };
        this.#socket.write(bytes);
        return () => {
          entry.settle = undefined;
        };
      },
      {
        timeoutMs,
        signal: options.signal,
        onTimeout: () =>
          new CbtError(
            'ERR_CBT_TIMEOUT',
            `${this.name} did not answer ${procedure.name} in ${timeoutMs} ms`,
            {
              details: { call: procedure.name, libvirt: this.name, timeoutMs },
            },
          ),
      },
    );
  }

  /** Closes the connection; what is pending ends in `ERR_CBT_CLOSED`. */
  async close(): Promise<void> {
    this.#shut(new CbtError('ERR_CBT_CLOSED', `the connection to ${this.name} was closed by us`));
    if (!this.#socket.closed)
      await new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
  }

  #drawSerial(): number {
    const serial = this.#nextSerial;
    this.#nextSerial = serial === MAX_SERIAL ? 1 : serial + 1;
    return serial;
  }

  #receive(chunk: Buffer): void {
    if (this.#failure !== undefined) return;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        this.#dispatch(frame);
        if (this.#failure !== undefined) return;
      }
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      this.#shut(
        new CbtError('ERR_CBT_BACKEND_PROTOCOL', `${this.name} does not speak libvirt's RPC: ${what}`, {
          details: { libvirt: this.name },
          cause: error,
        }),
      );
    }
  }

  #dispatch(frame: Frame): void {
    const { program, version, procedure, kind, body } = frame;
    if (version !== VERSION)
      throw breach(`a message of version ${version} of program ${program.toString(16)}`);
    if (program === KEEPALIVE.program) this.#keepAlive(frame);
    else if (kind === KINDS.reply) this.#reply(frame);
    else if (kind === KINDS.event)
      this.#onEvent(program, procedure, new XdrReader(body, `event ${procedure}`));
    else throw breach(`a message of kind ${kind}, which nobody asked for`);
  }

  #keepAlive({ procedure, kind }: Frame): void {
    if (kind !== KINDS.event || procedure !== KEEPALIVE.ping) return;
    this.#socket.write(
      encodeFrame({
        program: KEEPALIVE.program,
        version: VERSION,
        procedure: KEEPALIVE.pong,
        kind: KINDS.event,
        serial: 0,
        status: STATUS.ok,
        body: Buffer.alloc(0),
      }),
    );
  }

  #reply({ program, procedure, serial, status, body }: Frame): void {
    const entry = this.#pending.get(serial);
    if (entry === undefined) throw breach(`a reply has the serial ${serial}, which no call has`);
    const { procedure: asked, settle } = entry;
    // A daemon that does not know the program, or the procedure, answers all the same.
    if (status === STATUS.error) {
      this.#pending.delete(serial);
      settle?.reject(readError(asked.name, new XdrReader(body, `the error of ${asked.name}`)));
      return;
    }
    if (program !== asked.program || procedure !== asked.number || status !== STATUS.ok)
      throw breach(`the reply to ${asked.name} is of procedure ${procedure}, status ${status}`);
    this.#pending.delete(serial);
    settle?.reply(new XdrReader(body, `the reply to ${asked.name}`));
  }

  /** Ends the connection once; the first reason is the one everybody gets. */
  #shut(error: CbtError): void {
    if (this.#failure === undefined) {
      this.#failure = error;
      this.#fail(error);
      for (const { settle } of this.#pending.values()) settle?.reject(error);
      this.#pending.clear();
    }
    this.#socket.destroy();
  }

  #lost(why: string, cause?: unknown): CbtError {
    const cut = this.#decoder.pendingBytes;
    const partial = cut > 0 ? `, in the middle of a message (${cut} bytes of it had come)` : '';
    return new CbtError(
      'ERR_CBT_CONNECTION_LOST',
      `the connection to ${this.name} is gone: ${why}${partial}`,
      {
        details: { libvirt: this.name },
        cause,
      },
    );
  }
}
