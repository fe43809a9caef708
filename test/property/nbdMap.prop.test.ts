/**
 * Whatever of its freedoms a server uses, the map is the same; whatever rule it breaks, the answer is a coded error, and
 * never a shorter map, a hang or a crash.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NbdConnection } from '../../lib/backend/nbd/nbdConnection.js';
import type { OpenDataOptions } from '../../lib/core/diskData.js';
import type { CbtErrorCode } from '../../lib/core/errors.js';
import { checkRanges } from '../../lib/core/rangePage.js';
import {
  type Chunk,
  cutExtents,
  dataChunk,
  doneChunk,
  type Extent,
  errorChunk,
  type FakeNbdScript,
  FakeNbdServer,
  NBD_EIO,
  optionReply,
  type StatusQuestion,
  simpleReply,
  statusChunk,
} from '../helpers/fakeNbdServer.js';
import { refusalOf } from '../helpers/refusal.js';

const DIRTY = 'qemu:dirty-bitmap:b';
const OTHER = 'base:allocation';
const ALL = Number.POSITIVE_INFINITY;
const GiB = 2 ** 30;

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cbt-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function withServer<T>(
  script: FakeNbdScript,
  use: (connection: NbdConnection, server: FakeNbdServer) => Promise<T>,
  options: OpenDataOptions = { contexts: [DIRTY] },
): Promise<T> {
  count += 1;
  const path = join(folder, `s${count}`);
  const server = await FakeNbdServer.listen(path, script);
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

/** Dirty ranges of a truth, from the model's side. */
function dirtyRanges(extents: readonly Extent[], start: number, end: number): number[] {
  const ranges: number[] = [];
  let at = start;
  for (const { length, flags } of cutExtents(extents, start, end - start)) {
    const last = ranges.length - 2;
    if (flags !== 0 && last >= 0 && ranges[last]! + ranges[last + 1]! === at) ranges[last + 1]! += length;
    else if (flags !== 0) ranges.push(at, length);
    at += length;
  }
  return ranges;
}

/** A small generator, so that a script can draw as it goes. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Cuts extents into neighbours with the same flags. */
function split(extents: readonly Extent[], draw: (below: number) => number): Extent[] {
  return extents.flatMap(({ length, flags }) => {
    const parts: Extent[] = [];
    let left = length;
    while (left > 1 && draw(3) !== 0 && parts.length < 4) {
      const part = 1 + draw(left - 1);
      parts.push({ length: part, flags });
      left -= part;
    }
    return [...parts, { length: left, flags }];
  });
}

/** Ends the answer early: after some extents, or inside the last. */
function shorten(extents: readonly Extent[], draw: (below: number) => number): Extent[] {
  const kept = extents.slice(0, 1 + draw(extents.length)).map((extent) => ({ ...extent }));
  const last = kept.at(-1)!;
  if (draw(2) === 0) last.length = 1 + draw(last.length);
  return kept;
}

const bytesOf = (extents: readonly Extent[]): number => extents.reduce((sum, { length }) => sum + length, 0);

/** Lets the last extent go on past the request, as far as that is true. */
function lengthen(question: StatusQuestion, truth: readonly Extent[], size: number): Extent[] {
  const end = question.offset + question.length;
  const extents = question.extents.map((extent) => ({ ...extent }));
  const beyond = cutExtents(truth, end, size - end)[0];
  const last = extents.at(-1)!;
  if (beyond !== undefined && beyond.flags === last.flags && last.length + beyond.length < 2 ** 32) {
    last.length += beyond.length;
  }
  return extents;
}

const extentsOf = (longest: number) =>
  fc.array(
    fc.record({ length: fc.integer({ min: 1, max: longest }), flags: fc.integer({ min: 0, max: 1 }) }),
    {
      minLength: 1,
      maxLength: 30,
    },
  );

describe('every allowed behaviour gives the same map', () => {
  test('short, long, split, same-flag and many-context replies, in pages or whole', async () => {
    const truths = fc.oneof(extentsOf(5000), extentsOf(3 * GiB));
    const behaviours = fc.record({
      seed: fc.integer(),
      shorten: fc.boolean(),
      split: fc.boolean(),
      lengthen: fc.boolean(),
      oneExtent: fc.boolean(),
      unknownFlags: fc.boolean(),
      secondContext: fc.boolean(),
      minBlock: fc.constantFrom(1, 512, 65536),
      maxRanges: fc.constantFrom(1, 3, 100_000, ALL),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
      to: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(truths, behaviours, async (list, way) => {
        const draw = random(way.seed);
        const total = bytesOf(list);
        const sizeBytes = Math.ceil(total / way.minBlock) * way.minBlock;
        const truth = sizeBytes > total ? [...list, { length: sizeBytes - total, flags: 0 }] : list;
        const status = (question: StatusQuestion): Chunk[] => {
          let extents = way.split ? split(question.extents, draw) : question.extents;
          if (question.context === DIRTY) {
            if (way.lengthen) extents = lengthen({ ...question, extents }, truth, sizeBytes);
            if (way.unknownFlags)
              extents = extents.map((e) => ({ ...e, flags: e.flags * (1 + 6 * draw(2)) }));
          }
          const whole = extents;
          if (way.oneExtent) extents = extents.slice(0, 1);
          if (way.shorten && draw(2) === 0) extents = shorten(extents, draw);
          // With blocks, an answer that ends inside the first one would be asked again for ever.
          if (bytesOf(extents) < way.minBlock) extents = cutExtents(whole, 0, way.minBlock);
          return [statusChunk(question.id, extents)];
        };
        const other: Extent[] = [{ length: sizeBytes, flags: 3 }].flatMap(({ length, flags }) => {
          const whole = Math.floor(length / GiB);
          return [
            ...Array.from({ length: whole }, () => ({ length: GiB, flags })),
            { length: length % GiB, flags },
          ];
        });
        const contexts = way.secondContext ? { [OTHER]: other, [DIRTY]: truth } : { [DIRTY]: truth };
        const blockSizes = way.minBlock === 1 ? {} : { blockSizes: [way.minBlock, 65536, 2 ** 25] as const };
        const [a, b] = [Math.floor(way.from * sizeBytes), Math.floor(way.to * sizeBytes)];
        const [start, end] = a <= b ? [a, b] : [b, a];
        await withServer(
          { sizeBytes, contexts, status, ...blockSizes },
          async (connection) => {
            const pager = connection.pager(DIRTY, 'dirty');
            const found: number[] = [];
            for (let at = start; at < end; ) {
              const page = await pager.page({ startBytes: at, endBytes: end, maxRanges: way.maxRanges });
              expect(page.ranges.length / 2).toBeLessThanOrEqual(way.maxRanges);
              expect(page.nextBytes).toBeGreaterThan(at);
              found.push(...page.ranges);
              at = page.nextBytes;
            }
            checkRanges('found', Float64Array.from(found));
            expect(found).toEqual(dirtyRanges(truth, start, end));
          },
          { contexts: way.secondContext ? [DIRTY, OTHER] : [DIRTY] },
        );
      }),
      { numRuns: 150 },
    );
  });

  // Flags: 0 data, 1 a hole that need not read as zeros, 2 allocated zeros, 3 a hole that reads as zeros.
  test.each([
    ['data', [0, 2000]],
    ['zero', [2000, 2000]],
    ['allocated', [0, 1000, 2000, 1000]],
  ] as const)('base:allocation: %s', async (wanted, expected) => {
    const truth = [0, 1, 2, 3].map((flags) => ({ length: 1000, flags }));
    await withServer(
      { sizeBytes: 4000, contexts: { [OTHER]: truth } },
      async (connection) => {
        const page = await connection.blockStatus(OTHER, wanted, {
          startBytes: 0,
          endBytes: 4000,
          maxRanges: ALL,
        });
        expect([...page.ranges]).toEqual(expected);
      },
      { contexts: [OTHER] },
    );
  });

  test('allocation depth: any layer, and the top one', async () => {
    const depth = 'qemu:allocation-depth';
    const truth = [0, 1, 2, 7].map((flags) => ({ length: 1000, flags }));
    await withServer(
      { sizeBytes: 4000, contexts: { [depth]: truth } },
      async (connection) => {
        const window = { startBytes: 0, endBytes: 4000, maxRanges: ALL };
        expect([...(await connection.blockStatus(depth, 'allocated', window)).ranges]).toEqual([1000, 3000]);
        expect([...(await connection.blockStatus(depth, 'top', window)).ranges]).toEqual([1000, 1000]);
        expect((await refusalOf(connection.blockStatus(depth, 'dirty', window))).code).toBe(
          'ERR_CBT_INVALID_ARGUMENT',
        );
      },
      { contexts: [depth] },
    );
  });
});

const SIZE = 1_000_000;
const TRUTH: Extent[] = [
  { length: 400_000, flags: 0 },
  { length: 200_000, flags: 1 },
  { length: 400_000, flags: 0 },
];
const WINDOW = { startBytes: 0, endBytes: SIZE, maxRanges: ALL };
/** Short where silence is what is looked for. */
const times = (code: CbtErrorCode) => {
  const ms = code === 'ERR_CBT_TIMEOUT' ? 250 : 20_000;
  return { contexts: [DIRTY], connectTimeoutMs: ms, requestTimeoutMs: ms };
};

const statusOf = (extents: (question: StatusQuestion) => Extent[]) => ({
  status: (question: StatusQuestion) => [statusChunk(question.id, extents(question))],
});
const clean = (length: number): Extent => ({ length, flags: 0 });
/** A reply whose extents are right but whose frame is the test's. */
const chunksOf = (chunks: (question: StatusQuestion) => Chunk[]) => ({ status: chunks });
const good = (question: StatusQuestion): Chunk => statusChunk(question.id, question.extents);

describe('every broken rule is a coded error', () => {
  test.each<[string, Partial<FakeNbdScript>, CbtErrorCode]>([
    [
      'an extent of length 0',
      statusOf(() => [clean(1000), clean(0), clean(SIZE - 1000)]),
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    ['only an extent of length 0', statusOf(() => [clean(0)]), 'ERR_CBT_BACKEND_PROTOCOL'],
    ['no extents', statusOf(() => []), 'ERR_CBT_BACKEND_PROTOCOL'],
    ['an extent past the export', statusOf(() => [clean(SIZE + 1)]), 'ERR_CBT_BACKEND_PROTOCOL'],
    ['an extent far past the export', statusOf(() => [clean(2 ** 32 - 1)]), 'ERR_CBT_BACKEND_PROTOCOL'],
    ['an extent after the end', statusOf(() => [clean(SIZE), clean(1)]), 'ERR_CBT_BACKEND_PROTOCOL'],
    [
      'more extents than allowed',
      statusOf(() => Array.from({ length: 2 ** 20 + 1 }, () => clean(1))),
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    [
      'no progress past the first block',
      { sizeBytes: 1_003_520, blockSizes: [4096, 4096, 2 ** 25], ...statusOf(() => [clean(1)]) },
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    ['the context twice', chunksOf((q) => [good(q), good(q)]), 'ERR_CBT_BACKEND_PROTOCOL'],
    ['another context id', chunksOf((q) => [statusChunk(q.id + 1, q.extents)]), 'ERR_CBT_BACKEND_PROTOCOL'],
    ['no chunk at all', chunksOf(() => [doneChunk]), 'ERR_CBT_BACKEND_PROTOCOL'],
    ['data instead of status', chunksOf(() => [dataChunk(0, Buffer.alloc(8))]), 'ERR_CBT_BACKEND_PROTOCOL'],
    [
      'an unknown chunk',
      chunksOf(() => [{ type: 77, payload: Buffer.alloc(8) }]),
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    [
      'half an extent',
      chunksOf((q) => [{ ...good(q), payload: good(q).payload.subarray(0, -4) }]),
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    [
      'a simple reply that says well done',
      { raw: (c, k) => (c === 7 ? simpleReply(k, 0) : undefined) },
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    ['a reply to nobody', { raw: () => simpleReply(Buffer.alloc(8, 9), 0) }, 'ERR_CBT_BACKEND_PROTOCOL'],
    ['bytes that are no reply', { raw: () => Buffer.alloc(64, 0x5a) }, 'ERR_CBT_BACKEND_PROTOCOL'],
    ['an error', chunksOf(() => [errorChunk(NBD_EIO, 'no')]), 'ERR_CBT_BACKEND_UNAVAILABLE'],
    [
      'an error after an answer',
      chunksOf((q) => [good(q), errorChunk(NBD_EIO)]),
      'ERR_CBT_BACKEND_UNAVAILABLE',
    ],
    [
      'a simple error',
      { raw: (c, k) => (c === 7 ? simpleReply(k, 5) : undefined) },
      'ERR_CBT_BACKEND_UNAVAILABLE',
    ],
    ['a disconnect', { status: () => 'disconnect' }, 'ERR_CBT_BACKEND_UNAVAILABLE'],
    [
      'a disconnect inside a reply',
      chunksOf((q) => [{ ...good(q), cutAt: 30 }]),
      'ERR_CBT_BACKEND_UNAVAILABLE',
    ],
    ['silence', { status: () => 'hang' }, 'ERR_CBT_TIMEOUT'],
  ])('%s', async (name, script, code) => {
    await withServer(
      { sizeBytes: SIZE, contexts: { [DIRTY]: TRUTH }, ...script },
      async (connection) => {
        const error = await refusalOf(connection.blockStatus(DIRTY, 'dirty', WINDOW));
        expect(error.message).toBeTruthy();
        expect(error.code).toBe(code);
        if (name.includes('error')) {
          expect(error.details).toMatchObject({ errno: 'EIO', offsetBytes: 0, lengthBytes: SIZE });
        } else {
          // The connection is over; it never answers from half a stream.
          const again = await refusalOf(connection.blockStatus(DIRTY, 'dirty', WINDOW));
          expect(again.code).toBe(code);
        }
      },
      times(code),
    );
  });

  test('a broken rule in a later stripe fails the map as well', async () => {
    const sizeBytes = 9 * GiB;
    const truth = Array.from({ length: 9 }, (_, i) => ({ length: GiB, flags: i % 2 }));
    const status = (question: StatusQuestion) =>
      question.offset < 6 * GiB ? undefined : [statusChunk(question.id, [clean(0)])];
    await withServer({ sizeBytes, contexts: { [DIRTY]: truth }, status }, async (connection) => {
      const error = await refusalOf(
        connection.blockStatus(DIRTY, 'dirty', { ...WINDOW, endBytes: sizeBytes }),
      );
      expect(error.code).toBe('ERR_CBT_BACKEND_PROTOCOL');
    });
  });

  test.each<[string, Partial<FakeNbdScript>, CbtErrorCode]>([
    ['the context is missing', { hidden: [DIRTY] }, 'ERR_CBT_UNSUPPORTED'],
    ['there are no structured replies', { structuredReplies: false }, 'ERR_CBT_UNSUPPORTED'],
    [
      'the greeting is another',
      { greeting: Buffer.from('SSH-2.0-OpenSSH_9.2p1 Debian\r\n') },
      'ERR_CBT_BACKEND_PROTOCOL',
    ],
    ['the greeting is silence', { greeting: Buffer.alloc(0) }, 'ERR_CBT_TIMEOUT'],
    ['a context reply is too short', contextReply(Buffer.alloc(4)), 'ERR_CBT_BACKEND_PROTOCOL'],
    ['a context reply is too long', contextReply(Buffer.alloc(9000, 65)), 'ERR_CBT_BACKEND_PROTOCOL'],
    ['the export has no flags', { transmissionFlags: 0 }, 'ERR_CBT_BACKEND_UNAVAILABLE'],
    ['the export is larger than we can name', { sizeBytes: 2 ** 53 }, 'ERR_CBT_UNSUPPORTED'],
    ['the size is no number of blocks', { blockSizes: [4096, 4096, 2 ** 25] }, 'ERR_CBT_BACKEND_PROTOCOL'],
    ['options are not answered', { option: () => 'hang' }, 'ERR_CBT_TIMEOUT'],
    ['options end the connection', { option: () => 'disconnect' }, 'ERR_CBT_BACKEND_UNAVAILABLE'],
    ['options are answered by noise', { option: () => Buffer.alloc(64, 1) }, 'ERR_CBT_BACKEND_PROTOCOL'],
    [
      'the export is unknown',
      {
        option: (option) =>
          option === 7 ? optionReply(7, 0x80000006, Buffer.from('no such export')) : undefined,
      },
      'ERR_CBT_BACKEND_UNAVAILABLE',
    ],
  ])('no connection when %s', async (_name, script, code) => {
    const opening = withServer(
      { sizeBytes: SIZE, contexts: { [DIRTY]: TRUTH }, ...script },
      async () => expect.unreachable('it was opened'),
      times(code),
    );
    expect((await refusalOf(opening)).code).toBe(code);
  });
});

function contextReply(payload: Buffer): Partial<FakeNbdScript> {
  return { option: (option) => (option === 10 ? optionReply(10, 4, payload) : undefined) };
}

describe('garbled bytes', () => {
  test('end in a coded error or a well-formed page, soon', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 400 }), async (seed, rare) => {
        const draw = random(seed);
        const garble = (bytes: Buffer): Buffer => {
          const copy = Buffer.from(bytes);
          for (let i = 0; i < copy.length; i += 1) if (draw(rare) === 0) copy[i] = draw(256);
          return draw(2 * rare) === 0 ? copy.subarray(0, draw(copy.length + 1)) : copy;
        };
        const asking = withServer(
          { sizeBytes: SIZE, contexts: { [DIRTY]: TRUTH }, garble },
          async (connection) => {
            const endBytes = connection.info.sizeBytes;
            const page = await connection.blockStatus(DIRTY, 'dirty', {
              startBytes: 0,
              endBytes,
              maxRanges: 1000,
            });
            checkRanges('page', page.ranges);
            await connection.read(0, Math.min(endBytes, 4096));
          },
          { contexts: [DIRTY], connectTimeoutMs: 100, requestTimeoutMs: 100 },
        );
        const outcome = await asking.then(
          () => 'answered',
          (error) => error.code,
        );
        expect(outcome).toMatch(
          /^(answered|ERR_CBT_(BACKEND_PROTOCOL|BACKEND_UNAVAILABLE|TIMEOUT|UNSUPPORTED))$/,
        );
      }),
      { numRuns: 200 },
    );
  });
});
