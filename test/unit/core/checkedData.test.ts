/** The last look of a disk's bytes at a session: it lasts no longer than whoever reads waits. */
import { expect, test } from 'vitest';
import { BoundedData } from '../../../lib/core/boundedData.js';
import { CheckedData } from '../../../lib/core/checkedData.js';
import type { DiskData } from '../../../lib/core/diskData.js';
import { CbtError } from '../../../lib/core/errors.js';
import { onAbort } from '../../../lib/core/onAbort.js';
import { refusalOf } from '../../helpers/refusal.js';

const RANGES = Float64Array.of(0, 512);
const WINDOW = { startBytes: 0, endBytes: 512, maxRanges: 10 };

async function all(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pieces);
}

/** Bytes that come at once, of a session that is silent until whoever asks it goes. */
function readOfSilentSession(): BoundedData {
  const data = {
    info: {},
    async *stream() {
      yield { offset: 0, data: Buffer.alloc(512) };
    },
    forEachPiece: () => Promise.resolve(512),
    pager: () => ({ page: () => Promise.resolve({ ranges: RANGES, startBytes: 0, nextBytes: 512 }) }),
  } as unknown as DiskData;
  return new BoundedData(
    new CheckedData(data, {
      check: ({ signal }) =>
        new Promise((_, reject) => onAbort(signal, () => reject(new CbtError('ERR_CBT_ABORTED', 'stopped')))),
      broken: null,
    }),
  );
}

test.each<[string, (data: BoundedData) => Promise<unknown>, string]>([
  ['a stream in its own time', (data) => all(data.stream(RANGES, { timeoutMs: 20 })), 'ERR_CBT_TIMEOUT'],
  [
    'a stream by its signal',
    (data) => all(data.stream(RANGES, { signal: AbortSignal.timeout(20) })),
    'ERR_CBT_ABORTED',
  ],
  [
    'pieces in their own time',
    (data) => data.forEachPiece(RANGES, () => Promise.resolve(), { timeoutMs: 20 }),
    'ERR_CBT_TIMEOUT',
  ],
  [
    'a map by its signal',
    (data) => data.pager('base:allocation', 'data').page({ ...WINDOW, signal: AbortSignal.timeout(20) }),
    'ERR_CBT_ABORTED',
  ],
])('ends for %s', async (_what, read, code) => {
  expect(await refusalOf(read(readOfSilentSession()))).toMatchObject({ code });
});
