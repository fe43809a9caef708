/**
 * Areas of a map as text, a batch at a time: the inside of a JSON array, JSON lines, or plain columns. While one batch is
 * written the next is read and formatted, so that reading, formatting and writing overlap.
 */
import type { AreaKinds } from '../core/areaKinds.js';
import type { BitmapKernel, RangeStyle } from '../core/bitmapKernel.js';
import type { Ranges } from '../core/rangePage.js';

const STYLES = {
  json: { before: ',\n{"start":', between: ',"length":', after: '}' },
  jsonl: { before: '{"start":', between: ',"length":', after: '}\n' },
  plain: { before: '', between: '\t', after: '\n' },
} satisfies Record<string, RangeStyle>;

export type AreaStyleName = keyof typeof STYLES;

export interface AreaBatch {
  ranges: Ranges;
  text: Uint8Array;
}

/** The batches with their text; in `json` the very first area goes without its leading comma. */
export async function* formatAreas(
  kernel: BitmapKernel,
  batches: AsyncIterable<Ranges>,
  style: AreaStyleName,
  signal?: AbortSignal,
): AsyncGenerator<AreaBatch, void, undefined> {
  let skip = style === 'json' ? 1 : 0;
  for await (const ranges of ahead(batches)) {
    if (ranges.length === 0) continue;
    const text = await kernel.formatRanges(ranges, STYLES[style], signal);
    yield { ranges, text: text.subarray(skip) };
    skip = 0;
  }
}

/** The same with a word about each area: whether it reads as zeros. Areas are cut where their kind changes. */
export async function* formatKinds(
  batches: AsyncIterable<AreaKinds>,
  style: AreaStyleName,
): AsyncGenerator<AreaBatch, void, undefined> {
  let skip = style === 'json' ? 1 : 0;
  for await (const { ranges, zero } of ahead(batches)) {
    if (ranges.length === 0) continue;
    const { before, between } = STYLES[style];
    const [data, zeros] = style === 'plain' ? ['\tdata\n', '\tzero\n'] : [',"zero":false}', ',"zero":true}'];
    const end = style === 'jsonl' ? '\n' : '';
    const parts: string[] = [];
    for (const [i, isZero] of zero.entries())
      parts.push(
        before,
        String(ranges[2 * i]),
        between,
        String(ranges[2 * i + 1]),
        isZero ? zeros : data,
        end,
      );
    yield { ranges, text: Buffer.from(parts.join('')).subarray(skip) };
    skip = 0;
  }
}

/** Asks for the next item before the current one is taken; one item is waiting at most. */
export async function* ahead<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = iterator.next();
      // Looked at when its turn comes; until then a failure has no reader, and is none of the process.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await next.catch(() => undefined);
    await iterator.return?.();
  }
}
