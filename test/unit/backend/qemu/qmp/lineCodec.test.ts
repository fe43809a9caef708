import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage, LineDecoder, parseMessage } from '../../../../../lib/backend/qemu/qmp/lineCodec.js';

const messages = (chunks: Uint8Array[], maxLineBytes?: number): unknown[] => {
  const decoder = new LineDecoder(maxLineBytes);
  return chunks.flatMap((chunk) => [...decoder.push(chunk)]).map(parseMessage);
};

/** The bytes cut at the given places. */
const cut = (bytes: Buffer, places: number[]): Buffer[] => {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, [...at, bytes.length][index]));
};

const message = fc.dictionary(
  fc.string({ unit: 'grapheme' }),
  fc.oneof(fc.integer(), fc.string({ unit: 'binary' }), fc.constant(null)),
);

describe('line codec', () => {
  it('gives the same messages however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(message), fc.array(fc.nat()), fc.boolean(), (sent, places, crlf) => {
        const lines = sent.map((m) => encodeMessage(m));
        const bytes = Buffer.concat(
          crlf ? lines.map((l) => Buffer.concat([l.subarray(0, -1), Buffer.from('\r\n')])) : lines,
        );
        expect(messages(cut(bytes, places))).toEqual(sent.map((m) => JSON.parse(JSON.stringify(m))));
      }),
    );
  });

  it('keeps a half line until its end comes, and counts it', () => {
    const decoder = new LineDecoder();
    expect([...decoder.push(Buffer.from('{"a":"\xc3', 'latin1'))]).toEqual([]);
    expect(decoder.pendingBytes).toBe(7);
    expect([...decoder.push(Buffer.from('\xa9"}\n', 'latin1'))].map(parseMessage)).toEqual([{ a: 'é' }]);
    expect(decoder.pendingBytes).toBe(0);
  });

  it('tells the messages before a bad line, then refuses the line', () => {
    const decoder = new LineDecoder(10);
    const seen: string[] = [];
    expect(() => {
      for (const line of decoder.push(Buffer.from('{"a":1}\n{"b":2}\n{"too":"long"}\n')))
        seen.push(line.toString());
    }).toThrow(/more than 10 bytes/);
    expect(seen).toEqual(['{"a":1}', '{"b":2}']);
  });

  it('refuses a line past the limit before its end comes', () => {
    const decoder = new LineDecoder(8);
    expect([...decoder.push(Buffer.alloc(8, 0x20))]).toEqual([]);
    expect(() => [...decoder.push(Buffer.from(' '))]).toThrow(
      expect.objectContaining({
        code: 'ERR_CBT_BACKEND_PROTOCOL',
        message: expect.stringContaining('8 bytes'),
      }),
    );
  });

  it.each([
    ['[1]', /not a JSON object/],
    ['7', /not a JSON object/],
    ['null', /not a JSON object/],
    ['', /not JSON/],
    ['{"a":', /not JSON/],
    ['{"a":1}{"b":2}', /not JSON/],
  ])('refuses the line %j', (line, why) => {
    expect(() => parseMessage(Buffer.from(line))).toThrow(
      expect.objectContaining({ code: 'ERR_CBT_BACKEND_PROTOCOL', message: expect.stringMatching(why) }),
    );
  });

  it('refuses bytes that are not UTF-8, and nesting that only means harm', () => {
    expect(() => parseMessage(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toThrow(/not UTF-8/);
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    expect(() => parseMessage(Buffer.from(deep))).toThrow(/not a JSON object|not JSON/);
    expect(() => parseMessage(Buffer.from(`{"n":9007199254740993,"a":${deep}}`))).toThrow(/not JSON/);
  });

  it('refuses to send half of a surrogate pair, and only that', () => {
    expect(() => encodeMessage({ a: 'x\ud800y' })).toThrow(/unpaired surrogates/);
    expect(() => encodeMessage({ '\udc00': 1 })).toThrow(/unpaired surrogates/);
    expect(encodeMessage({ a: '\\ud800 \u{1f600}' }).toString()).toBe('{"a":"\\\\ud800 \u{1f600}"}\n');
  });
});
