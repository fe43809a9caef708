/**
 * One compiled program's use of the library: its calls come in over one stream and are answered over another, many at a time, each
 * when it is done. The end of the stream is the end of the session: what the program left open is closed, what it held is let go.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { CbtError } from '../../core/errors.js';
import { VixFailure } from '../../facade/vixdisklib/errors.js';
import * as vix from '../../facade/vixdisklib/index.js';
import { CallArguments } from './callArguments.js';
import { type Answer, answerBytes, CALLS } from './calls.js';
import {
  ALIVE,
  type Frame,
  FrameReader,
  LOG,
  PROGRESS,
  PROTOCOL_VERSION,
  REPLY,
  type Value,
  writeFrame,
} from './frames.js';
import { ClientObjects, type Reach } from './objects.js';
import { ReadBuffers } from './readBuffers.js';
import { readSettings } from './settings.js';

export interface SessionOptions extends Reach {
  /** What the client sends. */
  input: AsyncIterable<Buffer>;
  /** What it is sent. */
  output: Writable;
  /** Ours, which a client of another protocol is told. */
  version: string;
}

/** Bytes of calls on their way, their answers included, before the next one is read. */
const MAX_BYTES_ON_WAY = 64 << 20;
/** What a call without data counts. */
const CALL_BYTES = 4096;
/** Well within the time after which a client gives up on a call of which it hears nothing. */
const ALIVE_EVERY_MS = 10_000;

export class LibrarySession {
  readonly #library = new vix.Library();
  readonly #options: SessionOptions;
  readonly #objects: ClientObjects;
  readonly #buffers = new ReadBuffers();
  #greeted = false;
  #bytesOnWay = 0;
  readonly #running = new Set<Promise<void>>();
  readonly #ended = new AbortController();
  #room: (() => void) | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#library.sharesServers = true;
    this.#library.signal = this.#ended.signal;
    this.#objects = new ClientObjects(this.#library, options);
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
          this.#take(frame);
          while (this.#bytesOnWay > MAX_BYTES_ON_WAY)
            await new Promise<void>((resolve) => (this.#room = resolve));
        }
      }
      if (reader.unfinishedBytes > 0 && this.#greeted)
        throw new CbtError('ERR_CBT_CONNECTION_LOST', 'the program went away in the middle of a message');
    } finally {
      clearInterval(alive);
      this.#ended.abort(new CbtError('ERR_CBT_ABORTED', 'the program that asked for it is gone'));
      try {
        await this.#library.close();
      } finally {
        await Promise.allSettled(this.#running);
      }
    }
  }

  #take(frame: Frame): void {
    const [first] = frame.values;
    const name = first instanceof Uint8Array ? Buffer.from(first).toString('latin1') : '';
    const bytes = frame.values.reduce(
      (sum, value) => sum + (value instanceof Uint8Array ? value.length : 0),
      CALL_BYTES,
    );
    // What it gives counts from now on.
    const counted = bytes + answerBytes(name, frame.values);
    this.#bytesOnWay += counted;
    const running = vix
      .runWithLibrary(this.#library, () => this.#answer(name, frame))
      .catch((thrown: unknown): Answer => ({ code: this.#library.answer(thrown) }))
      .then(({ code, values = [] }) =>
        this.#send(frame.id, REPLY, [BigInt(code), ...values], () => {
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
  }

  async #answer(name: string, { id, values }: Frame): Promise<Answer> {
    const args = new CallArguments(values, 1);
    if (name === 'hello') return this.#greet(args);
    if (!this.#greeted)
      throw new VixFailure(vix.VIX_E_DISK_SUBSYSTEM_INIT_FAIL, 'the first call must be hello');
    if (name === 'VixDiskLib_InitEx') return this.#initialise(args);
    if (name === 'VixDiskLib_Exit') return this.#exit();
    const call = Object.hasOwn(CALLS, name) ? CALLS[name] : undefined;
    if (call === undefined)
      throw new VixFailure(vix.VIX_E_NOT_SUPPORTED, `there is no call ${JSON.stringify(name)}`);
    return call({
      args,
      objects: this.#objects,
      progress: (_, percent) => this.#send(id, PROGRESS, [BigInt(percent)]),
      readBuffer: (bytes) => this.#buffers.take(bytes),
    });
  }

  #greet(args: CallArguments): Answer {
    const theirs = args.small('protocol');
    const version = args.text('version');
    this.#greeted = theirs === PROTOCOL_VERSION;
    const { version: ours } = this.#options;
    const said = `libvixDiskLib of qemu-cbt ${version} and the command of qemu-cbt ${ours} are of two kinds: install one version of both`;
    return this.#greeted
      ? { code: vix.VIX_OK, values: [Buffer.from(ours)] }
      : { code: vix.VIX_E_DISK_SUBSYSTEM_INIT_FAIL, values: [Buffer.from(said)] };
  }

  async #initialise(args: CallArguments): Promise<Answer> {
    const [major, minor, libDir, file] = [
      args.small('majorVersion'),
      args.small('minorVersion'),
      args.text('libDir'),
      args.text('configFile'),
    ];
    const log = (line: string): void => this.#send(0, LOG, [Buffer.from(line)]);
    const answer = vix.VixDiskLib_InitEx(major, minor, log, null, null, libDir, file);
    if (answer !== vix.VIX_OK) return { code: answer };
    try {
      const { host, library } = await readSettings(file);
      this.#objects.host = host;
      vix.configureVixDiskLib(library);
    } catch (thrown) {
      const code = this.#library.answer(thrown);
      vix.VixDiskLib_Exit();
      return { code };
    }
    return { code: answer };
  }

  /** Where C ends the library, what is open is closed first. */
  async #exit(): Promise<Answer> {
    await this.#library.close();
    return { code: vix.VIX_OK };
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
