/**
 * Messages of libvirt's RPC as they go over a socket: a length that counts itself, six words that say what the message is, then what
 * it carries. Chunks may cut one anywhere and may carry many.
 *
 *   length · program · version · procedure · kind · serial · status · body
 */
import { breach } from './xdr.js';

/** What a message is. */
export const KINDS = { call: 0, reply: 1, event: 2 } as const;
/** How a reply ended. */
export const STATUS = { ok: 0, error: 1 } as const;

/** One message. */
export interface Frame {
  program: number;
  version: number;
  procedure: number;
  kind: number;
  serial: number;
  status: number;
  body: Buffer;
}

const WORD = 4;
const HEAD_BYTES = 7 * WORD;
/** The protocol's largest message, its length not counted. */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

export function encodeFrame({ program, version, procedure, kind, serial, status, body }: Frame): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  const words = [HEAD_BYTES + body.length, program, version, procedure, kind, serial, status];
  for (const [index, word] of words.entries()) head.writeUInt32BE(word, index * WORD);
  return Buffer.concat([head, body]);
}

/** Cuts a stream of bytes into messages. A length that none can have throws, before anything is kept for it. */
export class FrameDecoder {
  #parts: Buffer[] = [];
  #kept = 0;
  /** Of the message that has begun; 0 while its length is not known. */
  #wanted = 0;

  /** Bytes of the message that has not ended yet. */
  get pendingBytes(): number {
    return this.#kept;
  }

  *push(chunk: Buffer): Generator<Frame> {
    if (chunk.length > 0) this.#parts.push(chunk);
    this.#kept += chunk.length;
    for (;;) {
      if (this.#wanted === 0) {
        if (this.#kept < WORD) return;
        this.#wanted = checkLength(this.#joined().readUInt32BE(0));
      }
      if (this.#kept < this.#wanted) return;
      const bytes = this.#joined();
      const rest = bytes.subarray(this.#wanted);
      const message = bytes.subarray(0, this.#wanted);
      this.#parts = rest.length > 0 ? [rest] : [];
      this.#kept = rest.length;
      this.#wanted = 0;
      yield decode(message);
    }
  }

  #joined(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts, this.#kept)];
    return this.#parts[0] ?? Buffer.alloc(0);
  }
}

function checkLength(length: number): number {
  if (length < HEAD_BYTES || length > MAX_MESSAGE_BYTES + WORD)
    throw breach(
      `a message of ${length} bytes, where one has from ${HEAD_BYTES} to ${MAX_MESSAGE_BYTES + WORD}`,
    );
  return length;
}

function decode(message: Buffer): Frame {
  const word = (index: number): number => message.readUInt32BE(index * WORD);
  return {
    program: word(1),
    version: word(2),
    procedure: word(3),
    kind: word(4),
    serial: word(5),
    status: word(6),
    body: message.subarray(HEAD_BYTES),
  };
}
