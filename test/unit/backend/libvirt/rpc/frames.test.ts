import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  MAX_MESSAGE_BYTES,
} from '../../../../../lib/backend/libvirt/rpc/frames.js';

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const frame: fc.Arbitrary<Frame> = fc.record({
  program: word,
  version: word,
  procedure: word,
  kind: word,
  serial: word,
  status: word,
  body: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
});

test('messages are the same wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 70 })),
      (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(encodeFrame));
        const decoder = new FrameDecoder();
        const got: Frame[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          got.push(...decoder.push(bytes.subarray(at, at + cut)));
          at = Math.min(bytes.length, at + cut);
        }
        expect(got).toEqual(sent);
        expect(decoder.pendingBytes).toBe(0);
      },
    ),
  );
});

test.each([0, 27, MAX_MESSAGE_BYTES + 5, 2 ** 32 - 1])(
  'a message of %d bytes is refused before it came',
  (length) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    expect(() => [...new FrameDecoder().push(head)]).toThrow(`a message of ${length} bytes`);
  },
);
