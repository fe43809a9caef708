/**
 * Areas of a map as text, a batch at a time: the inside of a JSON array, JSON lines, or plain columns. While one batch is
 * written the next is read and formatted, so that reading, formatting and writing overlap.
 */
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
