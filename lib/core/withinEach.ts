/** A caller's own deadline on pieces: each one that is asked for has that time, and who is slow to ask loses nothing of it. */
import type { CallOptions } from './callOptions.js';
import { CbtError } from './errors.js';
import { onAbort } from './onAbort.js';

/** Gives the pieces on; one that does not come in time ends them with `ERR_CBT_TIMEOUT`. The options are checked before. */
export async function* withinEach<Options extends CallOptions, T>(
  what: string,
  options: Options,
  start: (options: Options) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const { signal, timeoutMs } = options;
  if (timeoutMs === undefined || signal?.aborted) {
    yield* start(options);
    return;
  }
  const stop = new AbortController();
  const late = new CbtError(
    'ERR_CBT_TIMEOUT',
    `each piece of ${what} was given ${timeoutMs} ms, and they are over`,
    {
      details: { timeoutMs },
    },
  );
  const callOff = onAbort(signal, () => stop.abort(signal?.reason));
  const pieces = start({ ...options, timeoutMs: undefined, signal: stop.signal })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => stop.abort(late), timeoutMs);
      const next = await pieces.next().finally(() => clearTimeout(timer));
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    throw stop.signal.reason === late && CbtError.is(error, 'ERR_CBT_ABORTED') ? late : error;
  } finally {
    callOff();
    await pieces.return?.();
  }
}
