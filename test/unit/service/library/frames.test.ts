/** Messages of compiled programs: whole however they are cut, and refused where they break a rule. */
import { describe, expect, test } from 'vitest';
import {
  CALL,
  FrameReader,
  HEADER_BYTES,
  MAX_BODY_BYTES,
  type Value,
  writeFrame,
} from '../../../../lib/service/library/frames.js';

const whole = (id: number, kind: number, values: Value[]): Buffer =>
  Buffer.concat(writeFrame(id, kind, values));

function header(length: number, id = 7, kind = CALL): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  for (const [at, value] of [length, id, kind].entries()) bytes.writeUInt32LE(value, 4 * at);
  return bytes;
}

const body = (...bytes: number[]): Buffer => Buffer.concat([header(bytes.length), Buffer.from(bytes)]);

describe('FrameReader', () => {
  const VALUES: Value[] = [
    Buffer.from('VixDiskLib_Read'),
    0n,
    2n ** 64n - 1n,
    null,
    Buffer.alloc(0),
    Buffer.from([1, 2]),
  ];

  test.each([1, 2, 11, 12, 13, 64, 1000])('reads messages that come in pieces of %i bytes', (size) => {
    const sent = Buffer.concat([whole(1, CALL, VALUES), whole(2, CALL, []), whole(3, CALL, VALUES)]);
    const reader = new FrameReader();
    const frames = [];
    for (let at = 0; at < sent.length; at += size) {
      reader.add(sent.subarray(at, at + size));
      for (let frame = reader.next(); frame !== null; frame = reader.next()) frames.push(frame);
    }
    expect(frames).toEqual([
      { id: 1, kind: CALL, values: VALUES },
      { id: 2, kind: CALL, values: [] },
      { id: 3, kind: CALL, values: VALUES },
    ]);
    expect(reader.unfinishedBytes).toBe(0);
  });

  test.each([
    ['longer than any message', header(MAX_BODY_BYTES + 1), /has 9437185 bytes; 9437184 is the limit/],
    ['of a length that is all ones', header(0xffffffff), /has 4294967295 bytes/],
    ['of a kind that no client sends', header(0, 7, 2), /message 7 is of kind 2/],
    ['with a value of no kind', body(3), /a value of kind 3/],
    ['that ends in an integer', body(1, 0, 0), /8 more were to come behind 1/],
    ['that ends in a length', body(2, 9), /4 more were to come/],
    ['with bytes that pass its end', body(2, 255, 255, 255, 255, 1), /4294967295 more were to come behind 5/],
    ['of too many values', body(...Array(33).fill(0)), /more than 32 values/],
  ])('refuses one %s', (_name, bytes, message) => {
    const reader = new FrameReader();
    reader.add(bytes);
    expect(() => reader.next()).toThrow(message);
  });
});
