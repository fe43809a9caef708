/**
 * Bytes to messages and back: QMP and the guest agent send one JSON object per line. Chunks may cut a line, or a UTF-8
 * character, anywhere, and may carry many lines; the messages are the same whatever the cuts.
 *
 *   chunks    {"retu|rn": {}}\r\n{"ev|ent": …}\r\n{"ret|
 *   messages  {"return": {}}     {"event": …}    (kept: {"ret)
 */
import { CbtError, invalidArgument } from '../../../core/errors.js';
import { parseJson } from './json.js';

/** `query-qmp-schema` answers in some 110 KiB; thousands of block nodes take a few MiB. */
export const DEFAULT_MAX_LINE_BYTES = 64 * 1024 * 1024;

/** One message: a JSON object. Integers too wide for a number are bigint. */
export type Message = Readonly<Record<string, unknown>>;

const LF = 0x0a;

/** Cuts a byte stream at line feeds; the feed, and a carriage return before it, are left out. */
export class LineDecoder {
  private pending: Uint8Array[] = [];
  private pendingLength = 0;

  constructor(private readonly maxLineBytes: number = DEFAULT_MAX_LINE_BYTES) {}

  /** Bytes of the line that has not ended yet. */
  get pendingBytes(): number {
    return this.pendingLength;
  }

  /** The lines that this chunk completes, in order. A line past the limit throws ERR_CBT_BACKEND_PROTOCOL. O(bytes). */
  *push(chunk: Uint8Array): Generator<Buffer> {
    let start = 0;
    for (;;) {
      const feed = chunk.indexOf(LF, start);
      const end = feed < 0 ? chunk.length : feed;
      this.keep(chunk.subarray(start, end));
      if (feed < 0) return;
      yield this.take();
      start = feed + 1;
    }
  }

  /** Forgets the line that has begun. */
  reset(): void {
    this.pending = [];
    this.pendingLength = 0;
  }

  private keep(part: Uint8Array): void {
    this.pendingLength += part.length;
    if (this.pendingLength > this.maxLineBytes) {
      throw protocolError(`a line has more than ${this.maxLineBytes} bytes, the limit for one message`);
    }
    if (part.length > 0) this.pending.push(part);
  }

  private take(): Buffer {
    const line = Buffer.concat(this.pending, this.pendingLength);
    this.reset();
    return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  }
}

/** Reads one line as a JSON object; anything else throws ERR_CBT_BACKEND_PROTOCOL. */
export function parseMessage(line: Uint8Array): Message {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line);
  } catch (cause) {
    throw protocolError(`a line of ${line.length} bytes is not UTF-8`, cause);
  }
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw protocolError(`a line is not JSON: ${excerpt(text)}`, cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw protocolError(`a line is not a JSON object: ${excerpt(text)}`);
  }
  return value as Message;
}

/** One line with its line feed. A string that UTF-8 cannot carry (half of a surrogate pair) is refused. */
export function encodeMessage(message: object): Buffer {
  const text = JSON.stringify(message);
  // JSON.stringify escapes half a pair as \udXXX and nothing else that way; a literal backslash is itself doubled.
  if (/(?<!\\)(?:\\\\)*\\ud[89a-f][0-9a-f]{2}/.test(text)) {
    throw invalidArgument('message', text, 'text without unpaired surrogates');
  }
  return Buffer.from(`${text}\n`, 'utf8');
}

function protocolError(message: string, cause?: unknown): CbtError {
  return new CbtError('ERR_CBT_BACKEND_PROTOCOL', message, cause === undefined ? {} : { cause });
}

function excerpt(text: string): string {
  return text.length > 120
    ? `${JSON.stringify(text.slice(0, 120))}… (${text.length} characters)`
    : JSON.stringify(text);
}
