/**
 * What a terminal obeys, or hides, is shown and not sent: paths, bitmap names, names in manifests and what QEMU says come from
 * outside. Done at the edge, where every text passes; only what is drawn here on purpose goes past it.
 */
import type { Writable } from 'node:stream';

/** Control characters, those that change how others are shown (direction, nothing at all), and line ends of Unicode. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** The same without what holds our own lines and columns together. */
const UNSEEN_IN_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const DRAWN = Symbol('past the edge');

/** A name or message as one line. In JSON the same text means the same value. */
export function printable(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** The stream as every text should be written to it; bytes are taken for what they are. */
export function edgeOf<S extends Writable>(stream: S): S {
  const write = (chunk: unknown, ...rest: unknown[]): unknown => {
    const clean = typeof chunk === 'string' ? chunk.replace(UNSEEN_IN_LINES, escaped) : chunk;
    return (stream.write as (...all: unknown[]) => unknown).call(stream, clean, ...rest);
  };
  return new Proxy(stream, {
    get(target, property) {
      if (property === 'write') return write;
      if (property === DRAWN) return target;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The stream itself, for colours and movements of ours; nothing in what is written to it may come from outside. */
export function drawingOn(stream: Writable): Writable {
  return (stream as { [DRAWN]?: Writable })[DRAWN] ?? stream;
}

/** A character above 16 bits is two units in JSON, and here. */
function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    const unit = character.charCodeAt(at).toString(16).padStart(4, '0');
    return `\\u${unit}`;
  }).join('');
}
