/**
 * XDR (RFC 4506), as far as libvirt's messages use it: four-byte big-endian units, lengths before what varies, zeros to the next unit.
 * Nothing is believed: a length is checked against what is left and against the protocol's limit before anything is made of it.
 */
import { CbtError } from '../../../core/errors.js';

/** A rule of the protocol that a message breaks. */
export function breach(what: string, cause?: unknown): CbtError {
  return new CbtError('ERR_CBT_BACKEND_PROTOCOL', what, cause === undefined ? {} : { cause });
}

const UNIT = 4;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the values of one message in order; `what` names it in errors. */
export class XdrReader {
  #at = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly what: string,
  ) {}

  /** Bytes that were not read yet. */
  get left(): number {
    return this.bytes.length - this.#at;
  }

  int(): number {
    return this.bytes.readInt32BE(this.#take(UNIT, 'a number'));
  }

  unsigned(): number {
    return this.bytes.readUInt32BE(this.#take(UNIT, 'a number'));
  }

  hyper(): bigint {
    return this.bytes.readBigInt64BE(this.#take(2 * UNIT, 'a wide number'));
  }

  unsignedHyper(): bigint {
    return this.bytes.readBigUInt64BE(this.#take(2 * UNIT, 'a wide number'));
  }

  /** A length that is part of the protocol. */
  fixed(length: number): Buffer {
    const at = this.#take(padded(length), `${length} bytes`);
    this.#requireZeros(at + length, at + padded(length));
    return this.bytes.subarray(at, at + length);
  }

  /** Text of at most `maxBytes`. */
  text(maxBytes: number): string {
    const bytes = this.#counted(maxBytes, 'a text');
    try {
      return UTF8.decode(bytes);
    } catch (cause) {
      throw breach(`${this.what}: a text of ${bytes.length} bytes is not UTF-8`, cause);
    }
  }

  /** Text for people: bytes that are none come out as such. */
  message(maxBytes: number): string {
    return this.#counted(maxBytes, 'a text').toString('utf8');
  }

  /** A value that may be left out. */
  optional<T>(read: () => T): T | null {
    const given = this.unsigned();
    if (given > 1)
      throw breach(`${this.what}: whether a value is there is told by ${given}, neither 0 nor 1`);
    return given === 0 ? null : read();
  }

  /** At most `max` values of one kind. */
  list<T>(max: number, read: () => T): T[] {
    const count = this.unsigned();
    if (count > max) throw breach(`${this.what}: a list of ${count} values, past the limit of ${max}`);
    if (count * UNIT > this.left)
      throw breach(`${this.what}: a list of ${count} values in ${this.left} bytes`);
    return Array.from({ length: count }, read);
  }

  /** Nothing may follow. */
  end(): void {
    if (this.left > 0) throw breach(`${this.what}: ${this.left} bytes follow its end`);
  }

  #counted(maxBytes: number, kind: string): Buffer {
    const length = this.unsigned();
    if (length > maxBytes)
      throw breach(`${this.what}: ${kind} of ${length} bytes, past the limit of ${maxBytes}`);
    return this.fixed(length);
  }

  #take(length: number, kind: string): number {
    if (length > this.left)
      throw breach(`${this.what}: ends in the middle of ${kind} (${this.left} of ${length} bytes are there)`);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  #requireZeros(from: number, to: number): void {
    for (let at = from; at < to; at += 1)
      if (this.bytes[at] !== 0) throw breach(`${this.what}: what fills a unit up is not zero`);
  }
}

function padded(length: number): number {
  return Math.ceil(length / UNIT) * UNIT;
}

/** Writes the values of one message in order. */
export class XdrWriter {
  readonly #parts: Buffer[] = [];

  int(value: number): this {
    const unit = Buffer.alloc(UNIT);
    unit.writeInt32BE(value);
    return this.#put(unit);
  }

  unsigned(value: number): this {
    const unit = Buffer.alloc(UNIT);
    unit.writeUInt32BE(value);
    return this.#put(unit);
  }

  fixed(bytes: Uint8Array): this {
    const filled = Buffer.alloc(padded(bytes.length));
    filled.set(bytes);
    return this.#put(filled);
  }

  text(value: string): this {
    const bytes = Buffer.from(value, 'utf8');
    return this.unsigned(bytes.length).fixed(bytes);
  }

  optional<T>(value: T | null, write: (value: T, to: this) => void): this {
    this.unsigned(value === null ? 0 : 1);
    if (value !== null) write(value, this);
    return this;
  }

  list<T>(values: readonly T[], write: (value: T) => void): this {
    this.unsigned(values.length);
    for (const value of values) write(value);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #put(part: Buffer): this {
    this.#parts.push(part);
    return this;
  }
}
