/**
 * The bitmap kernel on top of the native addon: one call per query, off the event loop. Cancelling goes through a cell of
 * shared memory that the native side polls; its errors become {@link CbtError}s with the same code and facts.
 */
import type { BitmapKernel } from '../core/bitmapKernel.js';
import { CbtError, type CbtErrorCode, type CbtErrorDetails, throwIfAborted } from '../core/errors.js';
import { onAbort } from '../core/onAbort.js';
import { checkWindow, type RangePage, type Window } from '../core/rangePage.js';
import type { CancelCell, NativeAddon, NativePage, NativeWindow } from './nativeAddon.js';

export function createNativeKernel(addon: NativeAddon): BitmapKernel {
  const hold = addon.holdImage?.bind(addon);
  return {
    name: 'native',
    path: addon.path,
    scanBitmaps: (segments, granularityBytes, window) =>
      page(window, (...w) => addon.scanBitmaps(segments, granularityBytes, ...w)),
    countBitmaps: (segments, granularityBytes, window) =>
      within({ ...window, maxRanges: 1 }, (...w) => addon.countBitmaps(segments, granularityBytes, ...w)),
    paintRanges: (ranges, granularityBytes, window) =>
      within({ ...window, maxRanges: 1 }, (...w) => addon.paintRanges(ranges, granularityBytes, ...w)),
    formatRanges: (ranges, { before, between, after }, signal) =>
      cancellable(signal, (cell) => addon.formatRanges(ranges, before, between, after, cell)),
    scanClusters: (tables, wanted, window) =>
      page(window, (...w) => addon.scanClusters(tables, wanted, ...w)),
    scanFileData: (fd, window) => page(window, (...w) => addon.scanFileData(fd, ...w)),
    lockState: (fd) => coded(() => addon.lockState(fd)),
    ...(hold !== undefined && { holdImage: (fd: number) => coded(() => hold(fd)) }),
    union: (a, b, window) => page(window, (...w) => addon.union(a, b, ...w)),
    intersect: (a, b, window) => page(window, (...w) => addon.intersect(a, b, ...w)),
    subtract: (a, b, window) => page(window, (...w) => addon.subtract(a, b, ...w)),
    clip: (ranges, window) => page(window, (...w) => addon.clip(ranges, undefined, ...w)),
    align: (ranges, granularityBytes, window) =>
      page(window, (...w) => addon.align(ranges, granularityBytes, ...w)),
    split: (ranges, maxBytes, window) => page(window, (...w) => addon.split(ranges, maxBytes, ...w)),
  };
}

type Call<T> = (...window: NativeWindow) => Promise<T>;

async function page(window: Window, call: Call<NativePage>): Promise<RangePage> {
  const { startBytes } = window;
  const { ranges, nextBytes } = await within(window, call);
  return { ranges, startBytes, nextBytes };
}

/** Runs a call in a window; ends it when the window's signal is aborted. */
async function within<T>(window: Window, call: Call<T>): Promise<T> {
  checkWindow(window);
  const { startBytes, endBytes, maxRanges, signal } = window;
  return cancellable(signal, (cell) => call(startBytes, endBytes, maxRanges, cell));
}

async function cancellable<T>(
  signal: AbortSignal | undefined,
  call: (cell: CancelCell) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  if (signal === undefined) return coded(() => call(undefined));
  const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const callOff = onAbort(signal, () => void Atomics.store(cell, 0, 1));
  try {
    return await coded(() => call(cell));
  } finally {
    callOff();
    throwIfAborted(signal);
  }
}

/** Codes the addon can end with. */
const CODES: ReadonlySet<string> = new Set<CbtErrorCode>([
  'ERR_CBT_INVALID_ARGUMENT',
  'ERR_CBT_UNSUPPORTED',
  'ERR_CBT_BACKEND_UNAVAILABLE',
  'ERR_CBT_CORRUPT_IMAGE',
  'ERR_CBT_ABORTED',
  'ERR_CBT_INTERNAL',
]);

interface CodedError extends Error {
  code: CbtErrorCode;
  details: CbtErrorDetails;
}

function isCoded(thrown: unknown): thrown is CodedError {
  return thrown instanceof Error && CODES.has((thrown as Partial<CodedError>).code ?? '');
}

async function coded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (thrown) {
    if (isCoded(thrown)) throw new CbtError(thrown.code, thrown.message, { details: thrown.details });
    throw new CbtError('ERR_CBT_INTERNAL', `the native addon failed: ${String(thrown)}`, { cause: thrown });
  }
}
