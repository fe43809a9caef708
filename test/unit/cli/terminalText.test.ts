/** Nothing that a terminal obeys, or hides, gets past the edge; what it means in JSON stays what it was. */
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { drawingOn, edgeOf, printable } from '../../../lib/cli/terminalText.js';

const HIDDEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
const odd = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom(
      '\x1b',
      '[2K',
      '\r',
      '\x9b',
      '\x7f',
      '\u202e',
      '\u2066',
      '\ufeff',
      '\u2028',
      '\u{e0041}',
      'a',
      '\n',
    ),
  }),
);

function collected(): { stream: Writable; text: () => string } {
  let all = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      all += String(chunk);
      done();
    },
  });
  return { stream, text: () => all };
}

test('no text of any kind gets a control character past the edge', () => {
  fc.assert(
    fc.property(odd, (name) => {
      const { stream, text } = collected();
      edgeOf(stream).write(`disk ${name}\tend\n`);
      expect(text()).not.toMatch(HIDDEN);
      expect(text().endsWith('\tend\n')).toBe(true);
      expect(printable(name)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test('JSON means the same on both sides', () => {
  fc.assert(
    fc.property(fc.dictionary(odd, odd), (value) => {
      const { stream, text } = collected();
      edgeOf(stream).write(`${JSON.stringify(value)}\n`);
      expect(text()).not.toMatch(HIDDEN);
      expect(JSON.parse(text())).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('what we draw goes past it, and the stream is otherwise the same', async () => {
  const { stream, text } = collected();
  const edge = edgeOf(Object.assign(stream, { columns: 80 }));
  expect(edge.columns).toBe(80);
  drawingOn(edge).write('\r\x1b[K');
  drawingOn(stream).write('\x1b[0m');
  edge.write(Buffer.from('1\t2\n'));
  expect(text()).toBe('\r\x1b[K\x1b[0m1\t2\n');
  await new Promise<void>((resolve) => edge.end(resolve));
  expect(edge.writableEnded).toBe(true);
});
