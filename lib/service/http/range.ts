/** One range of bytes, as HTTP asks for it. */

/** First byte and the one behind the last; null for all of it; 'unsatisfiable' for several, or one that is not there. */
export type AskedRange = { start: number; end: number } | null | 'unsatisfiable';

/** What a `Range` header asks of so many bytes. One that is not of bytes asks for nothing that is known here: all of it. */
export function rangeOf(header: string | undefined, size: number): AskedRange {
  if (header === undefined || !/^\s*bytes\s*=/.test(header)) return null;
  const [, from = '', to = ''] = /^\s*bytes\s*=\s*(\d{0,15})-(\d{0,15})\s*$/.exec(header) ?? [];
  if (from === '' && to === '') return 'unsatisfiable';
  if (from === '')
    return Number(to) === 0 || size === 0
      ? 'unsatisfiable'
      : { start: Math.max(0, size - Number(to)), end: size };
  const start = Number(from);
  const end = to === '' ? size : Math.min(size, Number(to) + 1);
  return start >= size || end <= start ? 'unsatisfiable' : { start, end };
}
