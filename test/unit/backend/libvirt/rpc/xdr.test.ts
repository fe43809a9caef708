import { expect, test } from 'vitest';
import { XdrReader, XdrWriter } from '../../../../../lib/backend/libvirt/rpc/xdr.js';

const reader = (hex: string): XdrReader =>
  new XdrReader(Buffer.from(hex.replaceAll(' ', ''), 'hex'), 'a message');

test('values are written and read in units of four bytes, big end first (RFC 4506)', () => {
  const bytes = new XdrWriter()
    .int(-2)
    .unsigned(2 ** 32 - 1)
    .text('abcde')
    .fixed(Buffer.from([1, 2, 3]))
    .optional<string>('x', (text, to) => to.text(text))
    .optional<string>(null, () => undefined)
    .bytes();
  expect(bytes.toString('hex')).toBe(
    [
      'fffffffe',
      'ffffffff',
      '00000005',
      '6162636465000000',
      '01020300',
      '00000001',
      '00000001',
      '78000000',
      '00000000',
    ].join(''),
  );
  const back = new XdrReader(bytes, 'a message');
  expect(back.int()).toBe(-2);
  expect(back.unsigned()).toBe(2 ** 32 - 1);
  expect(back.text(5)).toBe('abcde');
  expect([...back.fixed(3)]).toEqual([1, 2, 3]);
  expect(back.optional(() => back.text(10))).toBe('x');
  expect(back.optional(() => back.text(10))).toBeNull();
  expect(() => back.end()).not.toThrow();
});

test.each<[string, string, (from: XdrReader) => unknown, RegExp]>([
  ['a number that is cut', '0000', (from) => from.int(), /ends in the middle of a number \(2 of 4 bytes/],
  [
    'a text past its limit',
    '00000006 616263646566 0000',
    (from) => from.text(5),
    /a text of 6 bytes, past the limit of 5/,
  ],
  [
    'a text longer than what is there',
    '7fffffff 61626364',
    (from) => from.text(2 ** 31),
    /ends in the middle of/,
  ],
  ['a text that is not UTF-8', '00000002 fffe0000', (from) => from.text(9), /not UTF-8/],
  ['what fills up and is not zero', '00000001 61620000', (from) => from.text(9), /is not zero/],
  [
    'a list past its limit',
    '00000003',
    (from) => from.list(2, () => 0),
    /a list of 3 values, past the limit of 2/,
  ],
  [
    'a list longer than what is there',
    'ffffffff 00000000',
    (from) => from.list(2 ** 32, () => 0),
    /4294967295 values in 4 bytes/,
  ],
  ['neither there nor not', '00000002', (from) => from.optional(() => 0), /neither 0 nor 1/],
  ['what follows the end', '00000000', (from) => from.end(), /4 bytes follow its end/],
])('%s is refused', (_, hex, read, message) => {
  expect(() => read(reader(hex))).toThrow(
    expect.objectContaining({ code: 'ERR_CBT_BACKEND_PROTOCOL', message: expect.stringMatching(message) }),
  );
});
