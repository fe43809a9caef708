/**
 * An NBD server whose every answer can be scripted: fixed newstyle, structured replies, meta contexts (NBD protocol,
 * doc/proto.md). Unscripted it is a correct server, which tests hold against libnbd's own programs; a script replaces
 * single answers by others, allowed or not.
 */
import { createServer, type Server, type Socket } from 'node:net';

export interface Extent {
  length: number;
  flags: number;
}

export interface StatusQuestion {
  context: string;
  id: number;
  offset: number;
  length: number;
  /** A correct and complete answer. */
  extents: Extent[];
}

export interface ReadQuestion {
  offset: number;
  length: number;
  /** A correct and complete answer. */
  data: Buffer;
}

/** What the server does with a request instead of answering it. */
export type Silence = 'hang' | 'disconnect';

/** A chunk of a structured reply: type, payload; the last of a list ends the reply. */
export interface Chunk {
  type: number;
  payload: Buffer;
  /** Sends only so many bytes of it, then closes the connection. */
  cutAt?: number;
}

export interface FakeNbdScript {
  sizeBytes: number;
  /** Context names with what is true of the whole export; joined or not, as they are to be sent. */
  contexts?: Record<string, readonly Extent[]>;
  /** Contexts that are refused by silence when they are asked for. */
  hidden?: readonly string[];
  /** Wire ids; counted from 1 unless given. */
  ids?: Record<string, number>;
  contents?: (offset: number, length: number) => Buffer;
  structuredReplies?: boolean;
  transmissionFlags?: number;
  blockSizes?: readonly [minimum: number, preferred: number, maximum: number];
  /** Replaces the greeting and all that follows. */
  greeting?: Buffer;
  /** Replaces the reply to an option: raw bytes, or nothing at all. */
  option?: (option: number) => Buffer | Silence | undefined;
  status?: (question: StatusQuestion) => Chunk[] | Silence | undefined;
  read?: (question: ReadQuestion) => Chunk[] | Silence | undefined;
  /** An NBD error number for a write, zero, trim or flush; 0 for success. */
  change?: (command: number, offset: number, length: number) => number | Silence;
  /** Replaces the whole reply to a command: raw bytes. */
  raw?: (command: number, cookie: Buffer) => Buffer | undefined;
  /** Changes whatever is sent. */
  garble?: (bytes: Buffer) => Buffer;
}

export const NBD_REPLY_TYPE_NONE = 0;
export const NBD_REPLY_TYPE_OFFSET_DATA = 1;
export const NBD_REPLY_TYPE_OFFSET_HOLE = 2;
export const NBD_REPLY_TYPE_BLOCK_STATUS = 5;
export const NBD_REPLY_TYPE_ERROR = 0x8001;
export const NBD_EIO = 5;

const NBD_OPT_EXPORT_NAME = 1;
const NBD_OPT_ABORT = 2;
const NBD_OPT_INFO = 6;
const NBD_OPT_GO = 7;
const NBD_OPT_STRUCTURED_REPLY = 8;
const NBD_OPT_LIST_META_CONTEXT = 9;
const NBD_OPT_SET_META_CONTEXT = 10;
const NBD_REP_ACK = 1;
const NBD_REP_INFO = 3;
const NBD_REP_META_CONTEXT = 4;
const NBD_REP_ERR_UNSUP = 0x80000001;
const NBD_CMD_READ = 0;
const NBD_CMD_WRITE = 1;
const NBD_CMD_DISC = 2;
const NBD_CMD_BLOCK_STATUS = 7;
const REP_MAGIC = 0x0003e889045565a9n;
/** Has flags, read-only, flush, force unit access. */
const READ_ONLY_FLAGS = 0b1111;

type Reply = (type: number, payload?: Buffer) => void;

export class FakeNbdServer {
  readonly #script: FakeNbdScript;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Requests so far, by command number. */
  readonly requests: { command: number; offset: number; length: number }[] = [];

  private constructor(script: FakeNbdScript) {
    this.#script = script;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      // A client that goes away in the middle is what some tests are about.
      socket.on('error', () => socket.destroy());
      new Session(socket, this.#script, this.requests).start();
    });
  }

  static async listen(path: string, script: FakeNbdScript): Promise<FakeNbdServer> {
    const fake = new FakeNbdServer(script);
    await new Promise<void>((resolve, reject) => {
      fake.#server.once('error', reject);
      fake.#server.listen(path, resolve);
    });
    return fake;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

class Session {
  #received = Buffer.alloc(0);
  #structured = false;
  #selected: string[] = [];
  #next: (() => boolean) | undefined;

  constructor(
    readonly socket: Socket,
    readonly script: FakeNbdScript,
    readonly requests: { command: number; offset: number; length: number }[],
  ) {}

  start(): void {
    const { greeting } = this.script;
    this.socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      while (this.#next?.());
    });
    this.#write(greeting ?? Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), u16(0b11)]));
    if (greeting === undefined) this.#next = () => this.#clientFlags();
  }

  #write(bytes: Buffer): void {
    this.socket.write(this.script.garble?.(bytes) ?? bytes);
  }

  #take(length: number): Buffer | undefined {
    if (this.#received.length < length) return undefined;
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  #clientFlags(): boolean {
    if (this.#take(4) === undefined) return false;
    this.#next = () => this.#option();
    return true;
  }

  // ---- options ----

  #option(): boolean {
    if (this.#received.length < 16) return false;
    const option = this.#received.readUInt32BE(8);
    const length = this.#received.readUInt32BE(12);
    if (this.#received.length < 16 + length) return false;
    this.#take(16);
    const data = this.#take(length) ?? Buffer.alloc(0);
    const scripted = this.script.option?.(option);
    if (scripted === 'hang') return true;
    if (scripted === 'disconnect') this.socket.destroy();
    else if (scripted !== undefined) this.#write(scripted);
    else this.#answerOption(option, data);
    return true;
  }

  #answerOption(option: number, data: Buffer): void {
    const reply: Reply = (type, payload) => {
      this.#write(optionReply(option, type, payload));
    };
    switch (option) {
      case NBD_OPT_ABORT:
        reply(NBD_REP_ACK);
        this.socket.end();
        return;
      case NBD_OPT_STRUCTURED_REPLY:
        this.#structured = this.script.structuredReplies ?? true;
        reply(this.#structured ? NBD_REP_ACK : NBD_REP_ERR_UNSUP);
        return;
      case NBD_OPT_LIST_META_CONTEXT:
      case NBD_OPT_SET_META_CONTEXT:
        this.#contexts(option, data, reply);
        return;
      case NBD_OPT_INFO:
      case NBD_OPT_GO:
        reply(NBD_REP_INFO, Buffer.concat([u16(0), u64(this.script.sizeBytes), u16(this.#flags())]));
        if (this.script.blockSizes !== undefined) {
          reply(NBD_REP_INFO, Buffer.concat([u16(3), ...this.script.blockSizes.map(u32)]));
        }
        reply(NBD_REP_ACK);
        if (option === NBD_OPT_GO) this.#next = () => this.#request();
        return;
      case NBD_OPT_EXPORT_NAME:
        this.#write(Buffer.concat([u64(this.script.sizeBytes), u16(this.#flags())]));
        this.#next = () => this.#request();
        return;
      default:
        reply(NBD_REP_ERR_UNSUP);
    }
  }

  #flags(): number {
    return this.script.transmissionFlags ?? READ_ONLY_FLAGS;
  }

  #contexts(option: number, data: Buffer, reply: Reply): void {
    const asked: string[] = [];
    let at = 4 + data.readUInt32BE(0);
    let count = data.readUInt32BE(at);
    at += 4;
    for (; count > 0; count -= 1) {
      const length = data.readUInt32BE(at);
      asked.push(data.toString('utf8', at + 4, at + 4 + length));
      at += 4 + length;
    }
    const offered = Object.keys(this.script.contexts ?? {});
    const all = option === NBD_OPT_LIST_META_CONTEXT && asked.length === 0;
    const chosen = offered.filter((name) => all || asked.includes(name));
    const visible = chosen.filter((name) => !this.script.hidden?.includes(name));
    for (const name of visible) {
      reply(NBD_REP_META_CONTEXT, Buffer.concat([u32(this.#id(name)), Buffer.from(name)]));
    }
    if (option === NBD_OPT_SET_META_CONTEXT) this.#selected = visible;
    reply(NBD_REP_ACK);
  }

  #id(name: string): number {
    return this.script.ids?.[name] ?? Object.keys(this.script.contexts ?? {}).indexOf(name) + 1;
  }

  // ---- requests ----

  #request(): boolean {
    if (this.#received.length < 28) return false;
    const command = this.#received.readUInt16BE(6);
    const payload = command === NBD_CMD_WRITE ? this.#received.readUInt32BE(24) : 0;
    if (this.#received.length < 28 + payload) return false;
    const header = this.#take(28) ?? Buffer.alloc(28);
    this.#take(payload);
    const cookie = Buffer.from(header.subarray(8, 16));
    const offset = Number(header.readBigUInt64BE(16));
    const length = header.readUInt32BE(24);
    this.requests.push({ command, offset, length });
    const raw = this.script.raw?.(command, cookie);
    if (raw !== undefined) this.#write(raw);
    else this.#answer(command, cookie, offset, length);
    return true;
  }

  #answer(command: number, cookie: Buffer, offset: number, length: number): void {
    switch (command) {
      case NBD_CMD_DISC:
        this.socket.end();
        return;
      case NBD_CMD_READ:
        this.#answerRead(cookie, offset, length);
        return;
      case NBD_CMD_BLOCK_STATUS:
        this.#answerStatus(cookie, offset, length);
        return;
      default: {
        const error = this.script.change?.(command, offset, length) ?? 0;
        if (error === 'hang') return;
        if (error === 'disconnect') this.socket.destroy();
        else this.#write(simpleReply(cookie, error));
      }
    }
  }

  #answerRead(cookie: Buffer, offset: number, length: number): void {
    const data = this.script.contents?.(offset, length) ?? Buffer.alloc(length);
    const scripted = this.script.read?.({ offset, length, data });
    if (scripted !== undefined) this.#send(cookie, scripted);
    else if (this.#structured) this.#send(cookie, [dataChunk(offset, data)]);
    else this.#write(Buffer.concat([simpleReply(cookie, 0), data]));
  }

  #answerStatus(cookie: Buffer, offset: number, length: number): void {
    const chunks: Chunk[] = [];
    for (const context of this.#selected) {
      const id = this.#id(context);
      const extents = cutExtents(this.script.contexts?.[context] ?? [], offset, length);
      const scripted = this.script.status?.({ context, id, offset, length, extents });
      if (typeof scripted === 'string') {
        this.#send(cookie, scripted);
        return;
      }
      chunks.push(...(scripted ?? [statusChunk(id, extents)]));
    }
    this.#send(cookie, chunks);
  }

  #send(cookie: Buffer, chunks: Chunk[] | Silence): void {
    if (chunks === 'hang') return;
    if (chunks === 'disconnect') {
      this.socket.destroy();
      return;
    }
    for (const [index, { type, payload, cutAt }] of chunks.entries()) {
      const done = index === chunks.length - 1 ? 1 : 0;
      const bytes = Buffer.concat([
        u32(0x668e33ef),
        u16(done),
        u16(type),
        cookie,
        u32(payload.length),
        payload,
      ]);
      if (cutAt !== undefined) {
        this.socket.end(bytes.subarray(0, cutAt));
        return;
      }
      this.#write(bytes);
    }
  }
}

/** The part of the extents that a window covers, cut to it. */
export function cutExtents(extents: readonly Extent[], offset: number, length: number): Extent[] {
  const cut: Extent[] = [];
  let start = 0;
  for (const extent of extents) {
    const from = Math.max(start, offset);
    const to = Math.min(start + extent.length, offset + length);
    if (from < to) cut.push({ length: to - from, flags: extent.flags });
    start += extent.length;
  }
  return cut;
}

export function statusChunk(id: number, extents: readonly Extent[]): Chunk {
  const payload = Buffer.alloc(4 + 8 * extents.length);
  payload.writeUInt32BE(id, 0);
  for (const [index, { length, flags }] of extents.entries()) {
    payload.writeUInt32BE(length, 4 + 8 * index);
    payload.writeUInt32BE(flags, 8 + 8 * index);
  }
  return { type: NBD_REPLY_TYPE_BLOCK_STATUS, payload };
}

export function dataChunk(offset: number, data: Buffer): Chunk {
  return { type: NBD_REPLY_TYPE_OFFSET_DATA, payload: Buffer.concat([u64(offset), data]) };
}

export function holeChunk(offset: number, length: number): Chunk {
  return { type: NBD_REPLY_TYPE_OFFSET_HOLE, payload: Buffer.concat([u64(offset), u32(length)]) };
}

export function errorChunk(error: number, text = ''): Chunk {
  const message = Buffer.from(text);
  return { type: NBD_REPLY_TYPE_ERROR, payload: Buffer.concat([u32(error), u16(message.length), message]) };
}

export const doneChunk: Chunk = { type: NBD_REPLY_TYPE_NONE, payload: Buffer.alloc(0) };

export function simpleReply(cookie: Buffer, error: number): Buffer {
  return Buffer.concat([u32(0x67446698), u32(error), cookie]);
}

export function optionReply(option: number, type: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([u64(REP_MAGIC), u32(option), u32(type), u32(payload.length), payload]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
