/**
 * Reading: whatever order and pieces a server answers in, the bytes are the right ones; bytes that were not sent, sent
 * twice or sent for another place are never passed on.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LentPiece } from '../../../../lib/core/diskData.js';
import type { CbtErrorCode } from '../../../../lib/core/errors.js';
import { FAKE_DISK_BYTES, fakeDiskContent, withFakeDisk } from '../../../helpers/fakeNbdConnection.js';
import {
  type Chunk,
  dataChunk,
  doneChunk,
  errorChunk,
  type FakeNbdScript,
  holeChunk,
  NBD_EIO,
  type ReadQuestion,
  simpleReply,
  statusChunk,
} from '../../../helpers/fakeNbdServer.js';
import { seededRandom } from '../../../helpers/guestWriter.js';
import { refusalOf } from '../../../helpers/refusal.js';

/** The answer cut at random places, zeros as holes where asked for, in any order. */
function fragments({ offset, data }: ReadQuestion, draw: (below: number) => number, holes: boolean): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at < data.length; ) {
    const length = Math.min(1 + draw(draw(2) === 0 ? 64 : 5000), data.length - at);
    const part = data.subarray(at, at + length);
    const hole = holes && part.every((byte) => byte === 0);
    chunks.push(hole ? holeChunk(offset + at, length) : dataChunk(offset + at, part));
    at += length;
  }
  for (let i = chunks.length - 1; i > 0; i -= 1) {
    const j = draw(i + 1);
    [chunks[i], chunks[j]] = [chunks[j]!, chunks[i]!];
  }
  return draw(2) === 0 ? chunks : [...chunks, doneChunk];
}

const rangeList = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 1, max: 20_000 })), {
    maxLength: 12,
  })
  .map((pairs) => {
    const ranges: number[] = [];
    let at = 0;
    for (const [gap, length] of pairs) {
      ranges.push(at + gap, length);
      at += gap + length;
    }
    return Float64Array.from(ranges);
  });

function expected(ranges: Float64Array): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < ranges.length; i += 2) parts.push(fakeDiskContent(ranges[i]!, ranges[i + 1]!));
  return Buffer.concat(parts);
}

describe('every allowed behaviour gives the same bytes', () => {
  test('fragments in any order, holes, simple replies, blocks; into memory, shared memory, or as a stream', async () => {
    const ways = fc.record({
      seed: fc.integer(),
      structured: fc.boolean(),
      fragmented: fc.boolean(),
      holes: fc.boolean(),
      minBlock: fc.constantFrom(1, 512, 4096),
      chunkBytes: fc.constantFrom(512, 4096, 5000, 262_144),
      queueBytes: fc.constantFrom(1, 8192, 2 ** 25),
      connections: fc.constantFrom(1, 3),
      lent: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(rangeList, ways, async (ranges, way) => {
        const draw = seededRandom(way.seed);
        const read = (question: ReadQuestion) =>
          way.structured && way.fragmented ? fragments(question, draw, way.holes) : undefined;
        const script: Partial<FakeNbdScript> = {
          structuredReplies: way.structured,
          read,
          transmissionFlags: 0b1_0000_1111, // also: shares the export
          ...(way.minBlock > 1 && { blockSizes: [way.minBlock, 4096, 65536] as const }),
        };
        await withFakeDisk(
          script,
          async (connection, server) => {
            expect(server.connections).toBe(way.connections);
            const truth = expected(ranges);
            const { chunkBytes, queueBytes, lent } = way;
            expect((await connection.readRanges(ranges, { chunkBytes })).equals(truth)).toBe(true);
            const shared = new Uint8Array(new SharedArrayBuffer(truth.length));
            expect(await connection.readRanges(ranges, { chunkBytes, into: shared })).toBe(shared);
            expect(Buffer.from(shared).equals(truth)).toBe(true);
            const plain = new Uint8Array(truth.length);
            await connection.readRanges(ranges, { chunkBytes, into: plain });
            expect(Buffer.from(plain).equals(truth)).toBe(true);
            const pieces: Buffer[] = [];
            let last = -1;
            const look = async ({ offset, data }: LentPiece): Promise<void> => {
              expect(offset).toBeGreaterThan(last);
              expect(data.length).toBeLessThanOrEqual(Math.max(chunkBytes, way.minBlock));
              expect(data.equals(fakeDiskContent(offset, data.length))).toBe(true);
              pieces.push(Buffer.from(data));
              last = offset;
            };
            if (lent) {
              const bytes = await connection.forEachPiece(ranges, look, { chunkBytes, queueBytes });
              expect(bytes).toBe(truth.length);
            } else {
              for await (const piece of connection.stream(ranges, { chunkBytes, queueBytes }))
                await look(piece);
            }
            expect(Buffer.concat(pieces).equals(truth)).toBe(true);
          },
          { connections: way.connections },
        );
      }),
      { numRuns: 60 },
    );
  });
});

const RANGE = Float64Array.of(4096, 4096);
type Script = (question: ReadQuestion) => Chunk[] | 'hang' | 'disconnect';

describe('every broken rule is a coded error', () => {
  test.each<[string, Script, CbtErrorCode]>([
    [
      'bytes are missing at the end',
      ({ offset, data }) => [dataChunk(offset, data.subarray(1))],
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    [
      'bytes are missing in front',
      ({ offset, data }) => [dataChunk(offset + 1, data.subarray(1))],
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    [
      'half is sent twice, the other not at all',
      ({ offset, data }) => [dataChunk(offset, data.subarray(2048)), dataChunk(offset, data.subarray(2048))],
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    [
      'pieces overlap',
      ({ offset, data }) => [
        dataChunk(offset + 2000, data.subarray(2000)),
        dataChunk(offset, data.subarray(0, 2001)),
      ],
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    ['nothing is sent', () => [doneChunk], 'ERR_CBT_BACKEND_PROTOCOL'],
    ['an empty piece', ({ offset }) => [dataChunk(offset, Buffer.alloc(0))], 'ERR_CBT_BACKEND_PROTOCOL'],
    [
      'bytes of another place',
      ({ offset, data }) => [dataChunk(offset - 4096, data)],
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    [
      'more bytes than asked',
      ({ offset, data }) => [dataChunk(offset, Buffer.concat([data, data]))],
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    [
      'a hole that is too long',
      ({ offset, length }) => [holeChunk(offset, length + 1)],
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    ['a hole of another place', ({ length }) => [holeChunk(2 ** 40, length)], 'ERR_CBT_BACKEND_PROTOCOL'],
    ['block status', () => [statusChunk(1, [{ length: 1, flags: 0 }])], 'ERR_CBT_BACKEND_PROTOCOL'],
    ['an error', () => [errorChunk(NBD_EIO)], 'ERR_CBT_BACKEND_UNAVAILABLE'],
    [
      'an error in the middle',
      ({ offset, data }) => [dataChunk(offset, data), errorChunk(NBD_EIO)],
      'ERR_CBT_BACKEND_UNAVAILABLE',
    ],
    ['a disconnect', () => 'disconnect', 'ERR_CBT_CONNECTION_LOST'],
    [
      'a disconnect in the data',
      ({ offset, data }) => [{ ...dataChunk(offset, data), cutAt: 500 }],
      'ERR_CBT_CONNECTION_LOST',
    ],
    ['silence', () => 'hang', 'ERR_CBT_TIMEOUT'],
  ])('%s', async (name, read, code) => {
    const requestTimeoutMs = code === 'ERR_CBT_TIMEOUT' ? 200 : 20_000;
    for (const how of ['bulk', 'stream'] as const) {
      await withFakeDisk(
        { read },
        async (connection) => {
          const error = await refusalOf(async () => {
            if (how === 'bulk') await connection.readRanges(RANGE);
            else for await (const _ of connection.stream(RANGE)) expect.unreachable('a piece came');
          });
          expect(error.code).toBe(code);
          if (name.includes('error')) {
            expect(error.details).toMatchObject({
              errno: 'EIO',
              command: 'read',
              offsetBytes: 4096,
              lengthBytes: 4096,
            });
          }
        },
        { requestTimeoutMs },
      );
    }
  });

  test('an error of one piece names its place and leaves the connection usable', async () => {
    const read = ({ offset }: ReadQuestion) => (offset === 65536 ? [errorChunk(NBD_EIO)] : undefined);
    await withFakeDisk({ read }, async (connection) => {
      const error = await refusalOf(
        connection.readRanges(Float64Array.of(0, FAKE_DISK_BYTES), { chunkBytes: 65536 }),
      );
      expect(error.details).toMatchObject({ offsetBytes: 65536, lengthBytes: 65536 });
      expect((await connection.read(0, 100)).equals(fakeDiskContent(0, 100))).toBe(true);
    });
  });

  test.each(['write', 'zero', 'trim', 'flush'] as const)('an error of a %s is told', async (what) => {
    const flags = 0b1101101; // all changes offered, not read-only
    await withFakeDisk({ transmissionFlags: flags, change: () => 28 }, async (connection) => {
      const error = await refusalOf(async () => {
        if (what === 'write') await connection.write(512, Buffer.alloc(100));
        else if (what === 'flush') await connection.flush();
        else await connection[what](Float64Array.of(512, 100));
      });
      expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
      expect(error.details).toMatchObject({ errno: 'ENOSPC', command: what });
      if (what !== 'flush') expect(error.details).toMatchObject({ offsetBytes: 512, lengthBytes: 100 });
    });
  });

  test('a simple reply to a read where structured ones were agreed on', async () => {
    const raw = (command: number, cookie: Buffer) => (command === 0 ? simpleReply(cookie, 0) : undefined);
    await withFakeDisk({ raw }, async (connection) => {
      expect((await refusalOf(connection.read(0, 10))).code).toBe('ERR_CBT_BACKEND_PROTOCOL');
    });
  });
});

describe('back-pressure', () => {
  test('a reader that takes its time stops the reading at the limit', async () => {
    await withFakeDisk({}, async (connection, server) => {
      const options = { chunkBytes: 4096, queueBytes: 65536 };
      const stream = connection.stream(Float64Array.of(0, FAKE_DISK_BYTES), options);
      await stream.next();
      // Other work on the same connection goes on, and gives the stream all the time it could want.
      for (let i = 0; i < 50; i += 1) await connection.read(0, 1);
      const asked = server.requests.filter(({ length }) => length === 4096).length;
      // Out of the job: what the first two calls took, at most 64 pieces each. In it: the limit.
      expect(asked).toBeLessThanOrEqual(2 * 64 + 16 + 1);
      expect(asked).toBeLessThan(FAKE_DISK_BYTES / 4096);
      let pieces = 1;
      for await (const _ of stream) pieces += 1;
      expect(pieces).toBe(FAKE_DISK_BYTES / 4096);
    });
  });
});
