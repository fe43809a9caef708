/** Memory that is lent is reachable through the call that says so, while it is lent, and in no other way. */
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DiskDataStreamOptions } from '../../../../lib/core/diskData.js';
import { FAKE_DISK_BYTES, fakeDiskContent, withFakeDisk } from '../../../helpers/fakeNbdConnection.js';
import { refusalOf } from '../../../helpers/refusal.js';

const WHOLE = Float64Array.of(0, FAKE_DISK_BYTES);
const TRUTH = fakeDiskContent(0, FAKE_DISK_BYTES);

describe('a stream', () => {
  test('gives pieces that are the reader’s for good, whatever it is asked with', async () => {
    const asked = fc.record({
      chunkBytes: fc.constantFrom(512, 4096, 65_536),
      queueBytes: fc.constantFrom(1, 8192, 2 ** 25),
      lend: fc.constantFrom(true, 1, 'yes', false),
    });
    await fc.assert(
      fc.asyncProperty(asked, async (options) => {
        await withFakeDisk({}, async (connection) => {
          const kept: Buffer[] = [];
          for await (const { data } of connection.stream(WHOLE, options as DiskDataStreamOptions))
            kept.push(data);
          expect(Buffer.concat(kept).equals(TRUTH)).toBe(true);
        });
      }),
      { numRuns: 20 },
    );
  });

  test('goes whole through a pipeline that reads ahead', async () => {
    await withFakeDisk({}, async (connection) => {
      const kept: Buffer[] = [];
      const options = { chunkBytes: 4096, lend: true } as DiskDataStreamOptions;
      const keep = new Writable({
        objectMode: true,
        write: async ({ data }: { data: Buffer }, _encoding, done) => {
          await setImmediate();
          kept.push(data);
          done();
        },
      });
      await pipeline(Readable.from(connection.stream(WHOLE, options)), keep);
      expect(Buffer.concat(kept).equals(TRUTH)).toBe(true);
    });
  });
});

describe('a lent piece', () => {
  test('stays as it is for as long as its work takes, and is empty afterwards', async () => {
    const ways = fc.record({
      chunkBytes: fc.constantFrom(4096, 65_536),
      queueBytes: fc.constantFrom(1, 8192, 2 ** 25),
      turns: fc.integer({ min: 0, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(ways, async ({ turns, ...options }) => {
        await withFakeDisk({}, async (connection) => {
          const kept: Buffer[] = [];
          let at = 0;
          const bytes = await connection.forEachPiece(
            WHOLE,
            async ({ offset, data }) => {
              expect(kept.at(-1)?.length ?? 0).toBe(0);
              for (let turn = 0; turn < turns; turn += 1) await setImmediate();
              expect(offset).toBe(at);
              expect(data.equals(TRUTH.subarray(at, at + data.length))).toBe(true);
              at += data.length;
              kept.push(data);
            },
            options,
          );
          expect(bytes).toBe(FAKE_DISK_BYTES);
          expect(at).toBe(FAKE_DISK_BYTES);
          for (const before of kept) expect(before).toHaveLength(0);
        });
      }),
      { numRuns: 20 },
    );
  });

  test('is still whole where its work failed, and the connection goes on', async () => {
    await withFakeDisk({}, async (connection) => {
      const kept: Buffer[] = [];
      const broke = new Error('no room');
      const work = async ({ data }: { data: Buffer }): Promise<void> => {
        kept.push(data);
        if (kept.length === 3) throw broke;
      };
      await expect(connection.forEachPiece(WHOLE, work, { chunkBytes: 4096 })).rejects.toBe(broke);
      expect(kept.map(({ length }) => length)).toEqual([0, 0, 4096]);
      expect((await connection.readRanges(WHOLE)).equals(TRUTH)).toBe(true);
      expect(kept[2]!.equals(TRUTH.subarray(8192, 12_288))).toBe(true);
    });
  });

  test('comes to nobody where the call is not right', async () => {
    await withFakeDisk({}, async (connection) => {
      const never = async (): Promise<void> => expect.unreachable('a piece came');
      for (const [work, options] of [
        [undefined, {}],
        [never, { lend: true }],
        [never, { signal: new AbortController() }],
        [never, { chunkBytes: Number.NaN }],
        [never, { queueBytes: '1' }],
      ] as unknown as [typeof never, DiskDataStreamOptions][])
        expect((await refusalOf(connection.forEachPiece(WHOLE, work, options))).code).toBe(
          'ERR_CBT_INVALID_ARGUMENT',
        );
      const given = { signal: AbortSignal.abort() };
      expect((await refusalOf(connection.forEachPiece(WHOLE, never, given))).code).toBe('ERR_CBT_ABORTED');
    });
  });

  test('is the last one worked on when the signal fires meanwhile', async () => {
    await withFakeDisk({}, async (connection) => {
      const controller = new AbortController();
      let pieces = 0;
      const work = async (): Promise<void> => {
        pieces += 1;
        controller.abort();
        await setImmediate();
      };
      const call = connection.forEachPiece(WHOLE, work, { chunkBytes: 4096, signal: controller.signal });
      expect((await refusalOf(call)).code).toBe('ERR_CBT_ABORTED');
      expect(pieces).toBe(1);
    });
  });
});
