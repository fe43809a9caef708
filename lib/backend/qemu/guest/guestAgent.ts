/**
 * The qemu-guest-agent of a guest, over its own socket (the chardev of the virtio-serial port org.qemu.guest_agent.0).
 *
 * The channel knows no connections and replies carry no ids: what an earlier client left unread is still in it, and a
 * reply after our time-out would be taken for the next one's. So every connection, and every command after one that was
 * given up, begins with guest-sync-delimited: the agent answers it with a byte 0xFF (which is in no JSON) and our random
 * number, and all that came before is thrown away. The guest is not trusted: what it says is bounded and checked.
 */
import { randomInt } from 'node:crypto';
import type net from 'node:net';
import { z } from 'zod';
import { CbtError } from '../../../core/errors.js';
import { connectUnix } from '../../../linux/unixSocket.js';
import { checkTimeout, type WaitOptions, waitFor } from '../../../linux/waiting.js';
import { encodeMessage, LineDecoder, type Message, parseMessage } from '../qmp/lineCodec.js';
import { QmpCommandError } from '../qmp/qmpError.js';
import { describeIssues, errorReply, exactCount } from '../qmp/schemas.js';

/** guest-info, the longest reply we ask for, takes some 10 KiB. */
const MAX_REPLY_BYTES = 1024 * 1024;
const DELIMITER = 0xff;
const DEFAULT_COMMAND_MS = 5_000;

const guestInfo = z.looseObject({
  version: z.string().max(100),
  supported_commands: z.array(z.looseObject({ name: z.string(), enabled: z.boolean() })).max(10_000),
});

/** What the agent is and allows. */
export interface GuestAgentInfo {
  version: string;
  /** Commands that the guest's administrator has not switched off. */
  commands: ReadonlySet<string>;
}

export type FreezeState = 'thawed' | 'frozen';

interface Waiting {
  line(message: Message): void;
  fail(error: CbtError): void;
}

export class GuestAgent {
  private readonly decoder = new LineDecoder(MAX_REPLY_BYTES);
  private waiting: Waiting | undefined;
  /** Replies may be left over in the channel: sync before the next command. */
  private stale = true;
  /** Everything up to the next 0xFF is thrown away. */
  private discarding = false;
  private failure: CbtError | undefined;
  /** One command at a time: the protocol has no ids. */
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly path: string,
    private readonly socket: net.Socket,
  ) {
    socket.on('data', (chunk) => this.receive(chunk));
    const lost = (why: string): void => this.shut(this.unavailable(`the connection is gone: ${why}`));
    socket.on('error', (error) => lost(error.message));
    socket.on('end', () => lost('closed by the other end'));
    socket.on('close', () => lost('closed by the other end'));
  }

  /** Connects and makes sure that an agent answers. Connecting alone proves nothing: QEMU accepts without a guest. */
  static async connect(
    path: string,
    options: WaitOptions & { /** Posted before the agent is asked anything. */ post?: string } = {},
  ): Promise<GuestAgent> {
    const timeoutMs = checkTimeout('timeoutMs', options.timeoutMs ?? DEFAULT_COMMAND_MS);
    const deadline = Date.now() + timeoutMs;
    const socket = await connectUnix(path, 'guest agent', { timeoutMs, signal: options.signal });
    const agent = new GuestAgent(path, socket);
    try {
      if (options.post !== undefined) agent.post(options.post);
      await agent.sync({ timeoutMs: Math.max(1, deadline - Date.now()), signal: options.signal });
      return agent;
    } catch (error) {
      await agent.close();
      throw error;
    }
  }

  get open(): boolean {
    return this.failure === undefined;
  }

  async info(options?: WaitOptions): Promise<GuestAgentInfo> {
    const reply = this.check('guest-info', guestInfo, await this.execute('guest-info', undefined, options));
    const enabled = reply.supported_commands.filter((command) => command.enabled);
    return { version: reply.version, commands: new Set(enabled.map((command) => command.name)) };
  }

  /** Throws ERR_CBT_UNSUPPORTED unless the agent can freeze, thaw and tell which. */
  async requireFreeze(options?: WaitOptions): Promise<GuestAgentInfo> {
    const info = await this.info(options);
    const needed = ['guest-fsfreeze-status', 'guest-fsfreeze-freeze', 'guest-fsfreeze-thaw'];
    const missing = needed.filter((command) => !info.commands.has(command));
    if (missing.length === 0) return info;
    throw new CbtError(
      'ERR_CBT_UNSUPPORTED',
      `the guest agent ${info.version} does not offer ${missing.join(', ')} (too old, or switched off in the guest)`,
      { details: { socket: this.path, version: info.version, missing: missing.join(', ') } },
    );
  }

  async freezeState(options?: WaitOptions): Promise<FreezeState> {
    const reply = await this.execute('guest-fsfreeze-status', undefined, options);
    return this.check('guest-fsfreeze-status', z.enum(['thawed', 'frozen']), reply);
  }

  /** Freezes the guest's file systems; how many. Use `withFrozenGuest`, which thaws on every path. */
  async freeze(options?: WaitOptions): Promise<number> {
    const reply = await this.execute('guest-fsfreeze-freeze', undefined, options);
    return this.check('guest-fsfreeze-freeze', exactCount, reply);
  }

  /** Thaws; how many file systems that changed. Thawing a guest that is not frozen is no error. */
  async thaw(options?: WaitOptions): Promise<number> {
    const reply = await this.execute('guest-fsfreeze-thaw', undefined, options);
    return this.check('guest-fsfreeze-thaw', exactCount, reply);
  }

  /** Runs one command; time-out 5 000 ms by default. After a time-out it may still take effect in the guest. */
  execute(command: string, args?: object, options: WaitOptions = {}): Promise<unknown> {
    const work = this.queue.then(async () => {
      if (this.stale) await this.sync(options);
      const reply = await this.ask(command, args, options, (message) => message);
      const failed = errorReply.safeParse(reply);
      if (failed.success) {
        const { class: kind, desc } = failed.data.error;
        throw new QmpCommandError(command, kind.slice(0, 80), desc.slice(0, 500), 'the guest agent');
      }
      if (!('return' in reply)) throw this.broken(`its answer to ${command} has no return`);
      return reply['return'];
    });
    this.queue = work.catch(() => undefined);
    return work;
  }

  /**
   * Sends a command without waiting: the agent takes it when it is done with what came before, even if we are gone by
   * then. Its answer is thrown away.
   */
  post(command: string): void {
    if (this.failure !== undefined) return;
    this.stale = true;
    this.discarding = true;
    this.socket.write(Buffer.concat([Buffer.from([DELIMITER]), encodeMessage({ execute: command })]));
  }

  /** True when every command sent was answered. */
  get settled(): boolean {
    return this.open && !this.stale;
  }

  async close(): Promise<void> {
    this.shut(new CbtError('ERR_CBT_CLOSED', `the connection to guest agent ${this.path} was closed by us`));
    if (!this.socket.closed) await new Promise<void>((resolve) => this.socket.once('close', () => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async sync(options: WaitOptions): Promise<void> {
    const id = randomInt(1, 2 ** 47);
    this.discarding = true;
    await this.ask('guest-sync-delimited', { id }, options, (message) => {
      if (message['return'] === id) return message;
      // A reply to somebody else's sync: ours is still to come.
      this.discarding = true;
      return undefined;
    });
    this.stale = false;
  }

  /** Sends and waits until `accept` takes a message. Until it has, the channel counts as stale. */
  private ask(
    command: string,
    args: object | undefined,
    options: WaitOptions,
    accept: (message: Message) => Message | undefined,
  ): Promise<Message> {
    const timeoutMs = checkTimeout('timeoutMs', options.timeoutMs ?? DEFAULT_COMMAND_MS);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const body = encodeMessage({ execute: command, ...(args === undefined ? {} : { arguments: args }) });
    // 0xFF also makes the agent forget half a command that an earlier client may have sent.
    const bytes = this.discarding ? Buffer.concat([Buffer.from([DELIMITER]), body]) : body;
    this.stale = true;
    return waitFor<Message>(
      (resolve, reject) => {
        this.waiting = {
          line: (message) => {
            const accepted = accept(message);
            if (accepted === undefined) return;
            this.stale = false;
            resolve(accepted);
          },
          fail: reject,
        };
        this.socket.write(bytes);
        return () => {
          this.waiting = undefined;
        };
      },
      {
        timeoutMs,
        signal: options.signal,
        onTimeout: () =>
          new CbtError(
            'ERR_CBT_TIMEOUT',
            `the guest agent behind ${this.path} did not answer ${command} in ${timeoutMs} ms (is it running in the guest?)`,
            { details: { socket: this.path, command, timeoutMs } },
          ),
      },
    );
  }

  private receive(chunk: Uint8Array): void {
    if (this.failure !== undefined) return;
    let at = 0;
    let delimiter = -1;
    try {
      while (at < chunk.length) {
        // 0xFF is in no JSON: wherever it stands, what came before it is void.
        if (delimiter < at) delimiter = indexOrEnd(chunk, DELIMITER, at);
        if (this.discarding || delimiter === at) {
          if (delimiter === chunk.length) return;
          this.decoder.reset();
          this.discarding = false;
          at = delimiter + 1;
          continue;
        }
        // Line by line, for a line may turn discarding on again.
        const end = Math.min(indexOrEnd(chunk, 0x0a, at) + 1, delimiter);
        for (const line of this.decoder.push(chunk.subarray(at, end))) this.take(line);
        at = end;
      }
    } catch (error) {
      this.shut(this.broken(error instanceof Error ? error.message : String(error), error));
    }
  }

  private take(line: Buffer): void {
    if (line.length === 0) return;
    // Nobody asked: a late reply, which the next command's sync throws away.
    if (this.waiting === undefined) {
      this.stale = true;
      return;
    }
    this.waiting.line(parseMessage(line));
  }

  private check<T>(command: string, schema: z.ZodType<T>, reply: unknown): T {
    const checked = schema.safeParse(reply);
    if (checked.success) return checked.data;
    throw this.broken(`its answer to ${command} is not understood: ${describeIssues(checked.error)}`);
  }

  private shut(error: CbtError): void {
    if (this.failure === undefined) {
      this.failure = error;
      this.waiting?.fail(error);
    }
    this.socket.destroy();
  }

  private unavailable(what: string): CbtError {
    return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `guest agent ${this.path}: ${what}`, {
      details: { socket: this.path },
    });
  }

  private broken(what: string, cause?: unknown): CbtError {
    return new CbtError(
      'ERR_CBT_BACKEND_PROTOCOL',
      `the guest agent behind ${this.path} breaks its protocol: ${what}`,
      {
        details: { socket: this.path },
        cause,
      },
    );
  }
}

/** Where the byte is next, or the end of the chunk. */
function indexOrEnd(chunk: Uint8Array, byte: number, from: number): number {
  const at = chunk.indexOf(byte, from);
  return at < 0 ? chunk.length : at;
}
