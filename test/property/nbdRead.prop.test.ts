/**
 * Reading: whatever order and pieces a server answers in, the bytes are the right ones; bytes that were not sent, sent
 * twice or sent for another place are never passed on.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NbdConnection } from '../../lib/backend/nbd/nbdConnection.js';
import type { OpenDataOptions } from '../../lib/core/diskData.js';
import type { CbtErrorCode } from '../../lib/core/errors.js';
import {
  type Chunk,
  dataChunk,
  doneChunk,
  errorChunk,
  type FakeNbdScript,
  FakeNbdServer,
  holeChunk,
  NBD_EIO,
  type ReadQuestion,
  simpleReply,
  statusChunk,
} from '../helpers/fakeNbdServer.js';
import { refusalOf } from '../helpers/refusal.js';

const SIZE = 1 << 20;

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cbt-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function withServer<T>(
  script: Partial<FakeNbdScript>,
  use: (connection: NbdConnection, server: FakeNbdServer) => Promise<T>,
  options: OpenDataOptions = {},
): Promise<T> {
  count += 1;
  const path = join(folder, `s${count}`);
  const server = await FakeNbdServer.listen(path, { sizeBytes: SIZE, contents, ...script });
  try {
    const connection = await NbdConnection.open({ kind: 'unix', path }, options);
    try {
      return await use(connection, server);
    } finally {
      await connection.close();
    }
  } finally {
    await server.close();
  }
}

/** Every byte depends on its place; whole kilobytes of zeros now and then, for holes. */
function contents(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) {
    const at = offset + i;
    bytes[i] = (at >> 10) % 5 === 0 ? 0 : (at * 2654435761) >>> 13;
  }
  return bytes;
}

function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

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
  for (let i = 0; i < ranges.length; i += 2) parts.push(contents(ranges[i]!, ranges[i + 1]!));
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
      lend: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(rangeList, ways, async (ranges, way) => {
        const draw = random(way.seed);
        const read = (question: ReadQuestion) =>
          way.structured && way.fragmented ? fragments(question, draw, way.holes) : undefined;
        const script: Partial<FakeNbdScript> = {
          structuredReplies: way.structured,
          read,
          transmissionFlags: 0b1_0000_1111, // also: shares the export
          ...(way.minBlock > 1 && { blockSizes: [way.minBlock, 4096, 65536] as const }),
        };
        await withServer(
          script,
          async (connection, server) => {
            expect(server.connections).toBe(way.connections);
            const truth = expected(ranges);
            const { chunkBytes, queueBytes, lend } = way;
            expect((await connection.readRanges(ranges, { chunkBytes })).equals(truth)).toBe(true);
            const shared = new Uint8Array(new SharedArrayBuffer(truth.length));
            expect(await connection.readRanges(ranges, { chunkBytes, into: shared })).toBe(shared);
            expect(Buffer.from(shared).equals(truth)).toBe(true);
            const plain = new Uint8Array(truth.length);
            await connection.readRanges(ranges, { chunkBytes, into: plain });
            expect(Buffer.from(plain).equals(truth)).toBe(true);
            const pieces: Buffer[] = [];
            let last = -1;
            for await (const { offset, data } of connection.stream(ranges, {
              chunkBytes,
              queueBytes,
              lend,
            })) {
              expect(offset).toBeGreaterThan(last);
              expect(data.length).toBeLessThanOrEqual(Math.max(chunkBytes, way.minBlock));
              expect(data.equals(contents(offset, data.length))).toBe(true);
              pieces.push(Buffer.from(data));
              last = offset;
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
    ['a disconnect', () => 'disconnect', 'ERR_CBT_BACKEND_UNAVAILABLE'],
    [
      'a disconnect in the data',
      ({ offset, data }) => [{ ...dataChunk(offset, data), cutAt: 500 }],
      'ERR_CBT_BACKEND_UNAVAILABLE',
    ],
    ['silence', () => 'hang', 'ERR_CBT_TIMEOUT'],
  ])('%s', async (name, read, code) => {
    const requestTimeoutMs = code === 'ERR_CBT_TIMEOUT' ? 200 : 20_000;
    for (const how of ['bulk', 'stream'] as const) {
      await withServer(
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
    await withServer({ read }, async (connection) => {
      const error = await refusalOf(connection.readRanges(Float64Array.of(0, SIZE), { chunkBytes: 65536 }));
      expect(error.details).toMatchObject({ offsetBytes: 65536, lengthBytes: 65536 });
      expect((await connection.read(0, 100)).equals(contents(0, 100))).toBe(true);
    });
  });

  test.each(['write', 'zero', 'trim', 'flush'] as const)('an error of a %s is told', async (what) => {
    const flags = 0b1101101; // all changes offered, not read-only
    await withServer({ transmissionFlags: flags, change: () => 28 }, async (connection) => {
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
    await withServer({ raw }, async (connection) => {
      expect((await refusalOf(connection.read(0, 10))).code).toBe('ERR_CBT_BACKEND_PROTOCOL');
    });
  });
});

describe('arguments', () => {
  test.each<[string, (connection: NbdConnection) => Promise<unknown>]>([
    ['past the end', (c) => c.read(SIZE - 1, 2)],
    ['far past the end', (c) => c.read(2 ** 52, 1)],
    ['a negative offset', (c) => c.read(-1, 1)],
    ['a fraction', (c) => c.read(0.5, 1)],
    ['overlapping ranges', (c) => c.readRanges(Float64Array.of(0, 10, 5, 10))],
    ['descending ranges', (c) => c.readRanges(Float64Array.of(100, 10, 5, 10))],
    ['half a pair', (c) => c.readRanges(Float64Array.of(1, 2, 3))],
    ['an empty range', (c) => c.readRanges(Float64Array.of(1, 0))],
    ['no number', (c) => c.readRanges(Float64Array.of(Number.NaN, 1))],
    ['another array', (c) => c.readRanges([0, 1] as unknown as Float64Array)],
    ['tiny chunks', (c) => c.readRanges(RANGE, { chunkBytes: 1 })],
    ['huge chunks', (c) => c.readRanges(RANGE, { chunkBytes: 2 ** 26 })],
    ['a target of another size', (c) => c.readRanges(RANGE, { into: new Uint8Array(5) })],
    [
      'a shared target of another size',
      (c) => c.readRanges(RANGE, { into: new Uint8Array(new SharedArrayBuffer(5)) }),
    ],
    [
      'a map past the end',
      (c) => c.blockStatus('base:allocation', 'data', { startBytes: 0, endBytes: SIZE + 1, maxRanges: 1 }),
    ],
    [
      'a context that was not asked for',
      (c) => c.blockStatus('base:x', 'data', { startBytes: 0, endBytes: 1, maxRanges: 1 }),
    ],
    ['data of another size', (c) => c.writeRanges(RANGE, Buffer.alloc(5))],
  ])('%s: refused', async (_name, ask) => {
    await withServer(
      { contexts: { 'base:allocation': [{ length: SIZE, flags: 0 }] } },
      async (connection) => {
        expect((await refusalOf(ask(connection))).code).toBe('ERR_CBT_INVALID_ARGUMENT');
        expect((await connection.read(0, 5)).length).toBe(5);
      },
      { contexts: ['base:allocation'] },
    );
  });

  test('4 GiB and more are for a stream', async () => {
    await withServer({ sizeBytes: 2 ** 33 }, async (connection) => {
      const error = await refusalOf(connection.readRanges(Float64Array.of(0, 2 ** 32 + 1)));
      expect(error.message).toMatch(/at most 4294967296 bytes; read as a stream/);
    });
  });

  test('a change of a read-only export, or one it does not offer, is unsupported', async () => {
    await withServer({}, async (connection) => {
      expect((await refusalOf(connection.write(0, Buffer.of(1)))).code).toBe('ERR_CBT_UNSUPPORTED');
    });
    await withServer({ transmissionFlags: 0b1 }, async (connection) => {
      for (const change of [
        connection.zero(RANGE),
        connection.trim(RANGE),
        connection.write(0, Buffer.of(1), { forceUnitAccess: true }),
      ]) {
        expect((await refusalOf(change)).code).toBe('ERR_CBT_UNSUPPORTED');
      }
      await connection.flush();
    });
  });

  test('changes keep to the blocks of the export', async () => {
    const script = { transmissionFlags: 0b1100001, blockSizes: [512, 4096, 65536] as const };
    await withServer(script, async (connection, server) => {
      for (const change of [
        connection.write(1, Buffer.alloc(512)),
        connection.zero(Float64Array.of(0, 100)),
      ]) {
        expect((await refusalOf(change)).code).toBe('ERR_CBT_INVALID_ARGUMENT');
      }
      await connection.write(512, Buffer.alloc(200_704));
      const writes = server.requests.filter(({ command }) => command === 1);
      expect(writes.every(({ offset, length }) => offset % 512 === 0 && length <= 65536)).toBe(true);
      expect(writes.reduce((sum, { length }) => sum + length, 0)).toBe(200_704);
    });
  });

  test('a view that loses its memory right after the call changes nothing', async () => {
    await withServer({ transmissionFlags: 0b1 }, async (connection) => {
      const ranges = Float64Array.of(0, 100_000);
      const data = new Uint8Array(100_000);
      const writing = connection.writeRanges(ranges, data);
      structuredClone(null, { transfer: [ranges.buffer, data.buffer] });
      expect(data.length).toBe(0);
      await writing;
      const gone = await refusalOf(connection.writeRanges(Float64Array.of(0, 5), data));
      expect(gone.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    });
  });
});

describe('back-pressure', () => {
  test('a reader that takes its time stops the reading at the limit', async () => {
    await withServer({}, async (connection, server) => {
      const options = { chunkBytes: 4096, queueBytes: 65536 };
      const stream = connection.stream(Float64Array.of(0, SIZE), options);
      await stream.next();
      // Other work on the same connection goes on, and gives the stream all the time it could want.
      for (let i = 0; i < 50; i += 1) await connection.read(0, 1);
      const asked = server.requests.filter(({ length }) => length === 4096).length;
      // Out of the job: what the first two calls took, at most 64 pieces each. In it: the limit.
      expect(asked).toBeLessThanOrEqual(2 * 64 + 16 + 1);
      expect(asked).toBeLessThan(SIZE / 4096);
      let pieces = 1;
      for await (const _ of stream) pieces += 1;
      expect(pieces).toBe(SIZE / 4096);
    });
  });

  test('a lent piece is empty after the next was asked for', async () => {
    await withServer({}, async (connection) => {
      const stream = connection.stream(Float64Array.of(0, 8192), { chunkBytes: 4096, lend: true });
      const first = (await stream.next()).value!;
      expect(first.data.length).toBe(4096);
      await stream.next();
      expect(first.data.length).toBe(0);
      await stream.return();
    });
  });
});

describe('giving up', () => {
  const hanging: Partial<FakeNbdScript> = {
    contexts: { 'base:allocation': [{ length: SIZE, flags: 0 }] },
    transmissionFlags: 0b1,
    read: () => 'hang',
    status: () => 'hang',
    change: () => 'hang',
  };
  const window = { startBytes: 0, endBytes: SIZE, maxRanges: 1 };

  test.each<[string, (c: NbdConnection, signal: AbortSignal) => Promise<unknown>]>([
    ['a map', (c, signal) => c.blockStatus('base:allocation', 'data', { ...window, signal })],
    ['a read', (c, signal) => c.read(0, 100, { signal })],
    ['a write', (c, signal) => c.write(0, Buffer.alloc(100), { signal })],
    ['a stream', async (c, signal) => c.stream(RANGE, { signal }).next()],
    ['a write stream', (c, signal) => c.writeStream([{ offset: 0, data: Buffer.alloc(9) }], { signal })],
  ])('%s ends within 100 ms though the server is silent, and so does the connection', async (_name, ask) => {
    await withServer(
      hanging,
      async (connection) => {
        const controller = new AbortController();
        const asking = refusalOf(ask(connection, controller.signal));
        await new Promise((resolve) => setTimeout(resolve, 20));
        const start = performance.now();
        controller.abort(new Error('enough'));
        const error = await asking;
        expect(performance.now() - start).toBeLessThan(100);
        expect(error.code).toBe('ERR_CBT_ABORTED');
        expect(error.cause).toMatchObject({ message: 'enough' });
        const closing = performance.now();
        await connection.close();
        expect(performance.now() - closing).toBeLessThan(100);
      },
      { contexts: ['base:allocation'] },
    );
  });

  test('an opening ends too', async () => {
    const controller = new AbortController();
    const opening = refusalOf(
      withServer({ option: () => 'hang' }, async () => {}, { signal: controller.signal }),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    const start = performance.now();
    controller.abort();
    expect((await opening).code).toBe('ERR_CBT_ABORTED');
    expect(performance.now() - start).toBeLessThan(100);
  });

  test('one job that is given up leaves the others alone, and its memory safe', async () => {
    const script: Partial<FakeNbdScript> = {};
    await withServer(script, async (connection) => {
      for (let i = 0; i < 50; i += 1) {
        const controller = new AbortController();
        const given = connection.readRanges(Float64Array.of(0, SIZE), { signal: controller.signal });
        const kept = connection.read(i * 100, 100);
        controller.abort();
        expect((await refusalOf(given)).code).toBe('ERR_CBT_ABORTED');
        expect((await kept).equals(contents(i * 100, 100))).toBe(true);
      }
    });
  });

  test('closing ends what runs with ERR_CBT_CLOSED, and everything after it', async () => {
    await withServer(hanging, async (connection) => {
      const running = [
        refusalOf(connection.read(0, 100)),
        refusalOf(connection.stream(RANGE).next()),
        refusalOf(connection.write(0, Buffer.of(1))),
      ];
      await connection.close();
      await connection.close();
      for (const error of await Promise.all(running)) expect(error.code).toBe('ERR_CBT_CLOSED');
      expect((await refusalOf(connection.read(0, 1))).code).toBe('ERR_CBT_CLOSED');
      expect((await refusalOf(connection.stream(RANGE).next())).code).toBe('ERR_CBT_CLOSED');
      expect((await refusalOf(connection.flush())).code).toBe('ERR_CBT_CLOSED');
    });
  });

  test('a stream that is left early frees the connection for others', async () => {
    await withServer({}, async (connection) => {
      for (let i = 0; i < 20; i += 1) {
        for await (const _ of connection.stream(Float64Array.of(0, SIZE), { chunkBytes: 4096 })) break;
      }
      expect((await connection.read(5, 5)).equals(contents(5, 5))).toBe(true);
    });
  });
});
