/**
 * One compiled program's use of a library: its calls come in over one stream and are answered over another, many at a time, each
 * when it is done. The end of the stream is the end of the session: what the program left open is closed, what it held is let go.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { CbtError } from '../../core/errors.js';
import { CallArguments } from './callArguments.js';
import {
  ALIVE,
  EVENT,
  type Frame,
  FrameReader,
  LOG,
  PROGRESS,
  PROTOCOL_VERSION,
  REPLY,
  type Value,
  writeFrame,
} from './frames.js';
import { ReadBuffers } from './readBuffers.js';
import type { Answer, SdkClient, SdkOptions } from './sdkClient.js';

export interface SessionOptions
  extends Pick<SdkOptions, 'env'>,
    Partial<Pick<SdkOptions, 'host' | 'stateFolder'>> {
  /** What the client sends. */
  input: AsyncIterable<Buffer>;
  /** What it is sent. */
  output: Writable;
  /** Ours, which a client of another protocol is told. */
  version: string;
}

/** The SDKs, by the names that their libraries tell; each is loaded for its own programs alone. */
const SDKS: Readonly<Record<string, (options: SdkOptions) => Promise<SdkClient>>> = {
  vixdisklib: async (options) => new (await import('./vixdisklib/vixClient.js')).VixClient(options),
  parallels: async (options) => new (await import('./parallels/prlClient.js')).PrlClient(options),
};
/** To a program that has not said which library it has, or another one than there is: any code that is not 0. */
const REFUSED = 16053;

/** Bytes of calls on their way, their answers included, before the next one is read. */
const MAX_BYTES_ON_WAY = 64 << 20;
/** What a call without data counts. */
const CALL_BYTES = 4096;
/** Well within the time after which a client gives up on a call of which it hears nothing. */
const ALIVE_EVERY_MS = 10_000;

export class LibrarySession {
  readonly #options: SessionOptions;
  readonly #buffers = new ReadBuffers();
  #client: SdkClient | null = null;
  #bytesOnWay = 0;
  readonly #running = new Set<Promise<void>>();
  readonly #ended = new AbortController();
  #room: (() => void) | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
    // Who went away is told by the end of the input.
    options.output.on('error', () => undefined);
  }

  /** Until the client ends, goes away, or breaks the protocol, which throws; nothing of the session is left then. */
  async run(): Promise<void> {
    const reader = new FrameReader();
    const alive = setInterval(() => this.#running.size > 0 && this.#send(0, ALIVE, []), ALIVE_EVERY_MS);
    try {
      for await (const chunk of this.#options.input) {
        reader.add(chunk);
        for (let frame = reader.next(); frame !== null; frame = reader.next()) {
          const taken = this.#take(frame);
          // Who it is decides what the next ones mean.
          if (this.#client === null) await taken;
          while (this.#bytesOnWay > MAX_BYTES_ON_WAY)
            await new Promise<void>((resolve) => (this.#room = resolve));
        }
      }
      if (reader.unfinishedBytes > 0 && this.#client !== null)
        throw new CbtError('ERR_CBT_CONNECTION_LOST', 'the program went away in the middle of a message');
    } finally {
      clearInterval(alive);
      this.#ended.abort(new CbtError('ERR_CBT_ABORTED', 'the program that asked for it is gone'));
      try {
        await this.#client?.close();
      } finally {
        await Promise.allSettled(this.#running);
      }
    }
  }

  #take(frame: Frame): Promise<void> {
    const [first] = frame.values;
    const name = first instanceof Uint8Array ? Buffer.from(first).toString('latin1') : '';
    const bytes = frame.values.reduce(
      (sum, value) => sum + (value instanceof Uint8Array ? value.length : 0),
      CALL_BYTES,
    );
    // What it gives counts from now on.
    const counted = bytes + (this.#client?.answerBytes(name, frame.values) ?? 0);
    this.#bytesOnWay += counted;
    const running = this.#answer(name, frame)
      .catch((thrown: unknown): Answer => this.#client?.failed(thrown) ?? { code: REFUSED })
      .then(({ code, values = [] }) =>
        this.#send(frame.id, REPLY, [BigInt(code < 0 ? code >>> 0 : code), ...values], () => {
          this.#bytesOnWay -= counted;
          this.#room?.();
          this.#room = null;
          for (const value of values) if (value instanceof Uint8Array) this.#buffers.giveBack(value);
        }),
      )
      .finally(() => {
        this.#running.delete(running);
      });
    this.#running.add(running);
    return running;
  }

  async #answer(name: string, { id, values }: Frame): Promise<Answer> {
    const args = new CallArguments(values, 1);
    if (name === 'hello') return this.#greet(args);
    if (this.#client === null) return { code: REFUSED };
    return this.#client.answer(name, {
      args,
      progress: (_, percent) => this.#send(id, PROGRESS, [BigInt(percent)]),
      readBuffer: (bytes) => this.#buffers.take(bytes),
    });
  }

  async #greet(args: CallArguments): Promise<Answer> {
    const theirs = args.small('protocol');
    const version = args.text('version');
    const { version: ours, env, host, stateFolder } = this.#options;
    if (theirs !== PROTOCOL_VERSION) {
      const said = `the library of qemu-cbt ${version} and the command of qemu-cbt ${ours} are of two kinds: install one version of both`;
      return { code: REFUSED, values: [Buffer.from(said)] };
    }
    const sdk = args.text('sdk') ?? '';
    const make = Object.hasOwn(SDKS, sdk) ? SDKS[sdk] : undefined;
    if (make === undefined || this.#client !== null) return { code: REFUSED };
    this.#client = await make({
      env,
      host,
      stateFolder,
      signal: this.#ended.signal,
      log: (line) => this.#send(0, LOG, [Buffer.from(line)]),
      event: (of, about) => this.#send(0, EVENT, [of, about]),
    });
    return { code: 0, values: [Buffer.from(ours)] };
  }

  #send(id: number, kind: number, values: readonly Value[], sent?: () => void): void {
    const { output } = this.#options;
    const pieces = writeFrame(id, kind, values);
    output.cork();
    for (const [index, piece] of pieces.entries())
      output.write(piece, index === pieces.length - 1 ? () => sent?.() : undefined);
    process.nextTick(() => output.uncork());
  }
}

/** Ends the stream when all that was written has gone out, or its reader has. */
export async function endOutput(output: Writable): Promise<void> {
  if (output.destroyed) return;
  const closed = once(output, 'close').catch(() => undefined);
  output.end(() => output.destroy());
  await closed;
}
