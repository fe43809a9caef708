/** Whatever rule a server breaks, the answer is a coded error, and never a shorter map, a hang or a crash. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CbtErrorCode } from '../../../../lib/core/errors.js';
import { checkRanges } from '../../../../lib/core/rangePage.js';
import { withConnection } from '../../../helpers/fakeNbdConnection.js';
import {
  type Chunk,
  dataChunk,
  doneChunk,
  type Extent,
  errorChunk,
  type FakeNbdScript,
  NBD_EIO,
  optionReply,
  type StatusQuestion,
  simpleReply,
  statusChunk,
} from '../../../helpers/fakeNbdServer.js';
import { seededRandom } from '../../../helpers/guestWriter.js';
import { refusalOf } from '../../../helpers/refusal.js';

const DIRTY = 'qemu:dirty-bitmap:b';
const ALL = Number.POSITIVE_INFINITY;
const GiB = 2 ** 30;

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
    ['a disconnect', { status: () => 'disconnect' }, 'ERR_CBT_CONNECTION_LOST'],
    ['a disconnect inside a reply', chunksOf((q) => [{ ...good(q), cutAt: 30 }]), 'ERR_CBT_CONNECTION_LOST'],
    ['silence', { status: () => 'hang' }, 'ERR_CBT_TIMEOUT'],
  ])('%s', async (name, script, code) => {
    await withConnection(
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
    await withConnection(
      { sizeBytes, contexts: { [DIRTY]: truth }, status },
      async (connection) => {
        const error = await refusalOf(
          connection.blockStatus(DIRTY, 'dirty', { ...WINDOW, endBytes: sizeBytes }),
        );
        expect(error.code).toBe('ERR_CBT_BACKEND_PROTOCOL');
      },
      { contexts: [DIRTY] },
    );
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
    const opening = withConnection(
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
        const draw = seededRandom(seed);
        const garble = (bytes: Buffer): Buffer => {
          const copy = Buffer.from(bytes);
          for (let i = 0; i < copy.length; i += 1) if (draw(rare) === 0) copy[i] = draw(256);
          return draw(2 * rare) === 0 ? copy.subarray(0, draw(copy.length + 1)) : copy;
        };
        const asking = withConnection(
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
          /^(answered|ERR_CBT_(BACKEND_PROTOCOL|BACKEND_UNAVAILABLE|CONNECTION_LOST|TIMEOUT|UNSUPPORTED))$/,
        );
      }),
      { numRuns: 200 },
    );
  });
});
