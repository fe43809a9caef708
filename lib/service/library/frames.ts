/**
 * The messages between the library of a compiled program and us (ADR 44), over two streams:
 *
 *     length u32 · id u32 · kind u32 | value · value · …          all little-endian; length counts what is behind the bar
 *     value: 0 nothing | 1 u64 | 2 length u32, bytes
 *
 * Everything that arrives is hostile until it is read here. What breaks the rules is an error that ends the session: nothing that
 * follows it could be told from noise.
 */
import { CbtError } from '../../core/errors.js';

/** Of the protocol; another one is refused, with a text that says which side to update. */
export const PROTOCOL_VERSION = 2;
export const HEADER_BYTES = 12;
/** Longest body: what a piece of a read or write has, and a list of blocks of the longest window, with room for the rest. */
export const MAX_BODY_BYTES = 9 << 20;
/** Most values of a message. */
const MAX_VALUES = 32;

/** A client asks. */
export const CALL = 1;
/** The end of a call: its code, then what it gives. */
export const REPLY = 2;
/** A line of the log, of no call. */
export const LOG = 3;
/** How far the call of this id is, 0 to 100. */
export const PROGRESS = 4;
/** A call still runs: who waits goes on waiting. */
export const ALIVE = 5;
/** Something has happened that the client asked to be told of: of which asking, and about what. */
export const EVENT = 6;

/** What a message carries. */
export type Value = null | bigint | Uint8Array;

export interface Frame {
  id: number;
  kind: number;
  values: readonly Value[];
}

function broken(message: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_PROTOCOL', `the library's channel: ${message}`);
}

/** Makes frames of what arrives, however it was cut. Bytes of a value are lent until the next frame is asked for, unless kept. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #held = 0;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  /** Bytes of a frame that has begun and is not whole: at the end of the stream there should be none. */
  get unfinishedBytes(): number {
    return this.#held;
  }

  /** The next whole frame; null where more has to arrive first. */
  next(): Frame | null {
    if (this.#held < HEADER_BYTES) return null;
    const header = this.#peek(HEADER_BYTES);
    const length = header.readUInt32LE(0);
    const id = header.readUInt32LE(4);
    const kind = header.readUInt32LE(8);
    if (length > MAX_BODY_BYTES)
      throw broken(`message ${id} has ${length} bytes; ${MAX_BODY_BYTES} is the limit`);
    if (kind !== CALL) throw broken(`message ${id} is of kind ${kind}; a client sends calls (${CALL})`);
    if (this.#held < HEADER_BYTES + length) return null;
    const whole = this.#take(HEADER_BYTES + length);
    return { id, kind, values: readValues(whole.subarray(HEADER_BYTES), id) };
  }

  #peek(bytes: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= bytes) return first;
    this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #take(bytes: number): Buffer {
    const [first] = this.#chunks;
    const whole = first !== undefined && first.length >= bytes ? first : Buffer.concat(this.#chunks);
    const rest = whole.subarray(bytes);
    if (whole === first) this.#chunks.shift();
    else this.#chunks = [];
    if (rest.length > 0) this.#chunks.unshift(rest);
    this.#held -= bytes;
    return whole.subarray(0, bytes);
  }
}

function readValues(body: Buffer, id: number): Value[] {
  const values: Value[] = [];
  let at = 0;
  const need = (bytes: number): number => {
    const from = at;
    if (bytes > body.length - at)
      throw broken(
        `message ${id} ends at byte ${body.length}, where ${bytes} more were to come behind ${at}`,
      );
    at += bytes;
    return from;
  };
  while (at < body.length) {
    if (values.length === MAX_VALUES)
      throw broken(`message ${id} has more than ${MAX_VALUES} values, which is the limit`);
    const tag = body.readUInt8(need(1));
    if (tag === 0) values.push(null);
    else if (tag === 1) values.push(body.readBigUInt64LE(need(8)));
    else if (tag === 2) {
      const length = body.readUInt32LE(need(4));
      const from = need(length);
      values.push(body.subarray(from, from + length));
    } else throw broken(`message ${id} has a value of kind ${tag}; there are 0, 1 and 2`);
  }
  return values;
}

/** A message in pieces for the stream: bytes that are long go as they are, uncopied. */
export function writeFrame(id: number, kind: number, values: readonly Value[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const heads: number[] = [];
  let length = 0;
  for (const value of values) {
    const head = value === null ? 1 : typeof value === 'bigint' ? 9 : 5;
    heads.push(head);
    length += head + (value instanceof Uint8Array ? value.length : 0);
  }
  let buffer = Buffer.allocUnsafe(HEADER_BYTES + heads.reduce((sum, head) => sum + head, 0));
  buffer.writeUInt32LE(length, 0);
  buffer.writeUInt32LE(id, 4);
  buffer.writeUInt32LE(kind, 8);
  let at = HEADER_BYTES;
  for (const value of values) {
    if (value === null) at = buffer.writeUInt8(0, at);
    else if (typeof value === 'bigint') at = buffer.writeBigUInt64LE(value, buffer.writeUInt8(1, at));
    else {
      at = buffer.writeUInt32LE(value.length, buffer.writeUInt8(2, at));
      pieces.push(buffer.subarray(0, at), value);
      buffer = buffer.subarray(at);
      at = 0;
    }
  }
  if (at > 0) pieces.push(buffer.subarray(0, at));
  return pieces;
}
