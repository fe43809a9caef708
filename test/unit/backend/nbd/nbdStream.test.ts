/** Streams over a connection that is played here: what is asked, in which order, and what an early end leaves behind. */
import { describe, expect, test } from 'vitest';
import type { NativeNbdConnection } from '../../../../lib/backend/nbd/nbdAddon.js';
import { readPieces, writePieces } from '../../../../lib/backend/nbd/nbdStream.js';
import { CbtError } from '../../../../lib/core/errors.js';
import { refusalOf } from '../../../helpers/refusal.js';

const coded = (code: string) => Object.assign(new Error(`${code} happened`), { code, details: {} });

/** Gives out the batches in turn; an Error among them is thrown. */
function played(batches: ((number | Buffer)[] | Error)[]) {
  const log: string[] = [];
  let next = 0;
  const native = {
    startStream: () => void log.push('start'),
    take: async () => {
      log.push('take');
      const batch = batches[next++] ?? [];
      if (batch instanceof Error) throw batch;
      return batch;
    },
    cancel: () => void log.push('cancel'),
  } as unknown as NativeNbdConnection;
  return { native, log };
}

const options = { chunkBytes: 512, queueBytes: 1024, signal: undefined };
const RANGES = Float64Array.of(0, 4);

describe('reading', () => {
  test('gives the pieces in turn and lets go of the job', async () => {
    const { native, log } = played([
      [0, Buffer.of(1), 1, Buffer.of(2)],
      [7, Buffer.of(3)],
    ]);
    const seen: number[][] = [];
    for await (const { offset, data } of readPieces(native, 1, RANGES, options))
      seen.push([offset, data[0]!]);
    expect(seen).toEqual([
      [0, 1],
      [1, 2],
      [7, 3],
    ]);
    expect(log.at(-1)).toBe('cancel');
    expect(log.filter((entry) => entry === 'take')).toHaveLength(3);
  });

  test('does nothing before the first piece is asked for', () => {
    const { native, log } = played([]);
    readPieces(native, 1, RANGES, options);
    expect(log).toEqual([]);
  });

  test('ends the job when the reader leaves early', async () => {
    const { native, log } = played([[0, Buffer.of(1)], coded('ERR_CBT_ABORTED')]);
    for await (const _ of readPieces(native, 1, RANGES, options)) break;
    expect(log.at(-1)).toBe('cancel');
  });

  test('throws the coded error after the pieces before it', async () => {
    const { native } = played([[0, Buffer.of(1)], coded('ERR_CBT_BACKEND_UNAVAILABLE')]);
    let count = 0;
    const reading = async () => {
      for await (const _ of readPieces(native, 1, RANGES, options)) count += 1;
    };
    // It stood, and is gone.
    expect((await refusalOf(reading)).code).toBe('ERR_CBT_CONNECTION_LOST');
    expect(count).toBe(1);
  });
});

describe('writing', () => {
  const pieces = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ offset: 10 * i, data: Buffer.alloc(10) }));

  test('keeps several on their way, and no more than the limit', async () => {
    let running = 0;
    let most = 0;
    const write = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    expect(await writePieces(pieces(20), write, { queueBytes: 40, signal: undefined })).toBe(200);
    expect(most).toBe(4);
    expect(running).toBe(0);
  });

  test('stops asking the source after a failure, and waits for what is on its way', async () => {
    let asked = 0;
    let done = 0;
    function* source() {
      for (const piece of pieces(100)) {
        asked += 1;
        yield piece;
      }
    }
    const write = async (offset: number) => {
      await new Promise((resolve) => setImmediate(resolve));
      done += 1;
      if (offset === 20) throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'ENOSPC at 20');
    };
    const error = await refusalOf(writePieces(source(), write, { queueBytes: 40, signal: undefined }));
    expect(error.message).toBe('ENOSPC at 20');
    expect(done).toBe(asked);
    expect(asked).toBeLessThan(10);
  });

  test('a source that fails fails the writing', async () => {
    async function* source() {
      yield { offset: 0, data: Buffer.alloc(1) };
      throw new Error('the source broke');
    }
    await expect(writePieces(source(), async () => {}, { queueBytes: 9, signal: undefined })).rejects.toThrow(
      'the source broke',
    );
  });

  test('stops when the caller gives up', async () => {
    const controller = new AbortController();
    const write = async () => controller.abort();
    const error = await refusalOf(
      writePieces(pieces(9), write, { queueBytes: 9, signal: controller.signal }),
    );
    expect(error.code).toBe('ERR_CBT_ABORTED');
  });
});
