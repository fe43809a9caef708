/**
 * The exports of bitmap.node, declared once; native/binding/addon.cpp is the other side. Every call copies what it needs
 * of its arguments (views of shared memory are used in place), works on another thread, and rejects with an Error that
 * has `code` and `details`; a wrong argument may also be thrown at once. Offsets and lengths in bytes.
 */
import type { BitmapSegment, ClusterClass, ClusterTables, LockState } from '../core/bitmapKernel.js';
import type { Ranges } from '../core/rangePage.js';

/** Meaning of the exports; an addon that says another number is from another build. */
export const NATIVE_INTERFACE = 2;

/** One element on shared memory; anything but 0 in it ends the call with `ERR_CBT_ABORTED`. */
export type CancelCell = Int32Array | undefined;

export interface NativePage {
  ranges: Ranges;
  nextBytes: number;
}

/** What ends every call: the window, the cap (Infinity for none), and the way to stop. */
export type NativeWindow = readonly [
  startBytes: number,
  endBytes: number,
  maxRanges: number,
  cancel: CancelCell,
];

type Combine = (a: Ranges, b: Ranges, ...window: NativeWindow) => Promise<NativePage>;

export interface NativeAddon {
  readonly interface: number;
  /** The inner loops in use; the environment variable QEMU_CBT_SIMD forces one when the addon is loaded. */
  readonly path: 'avx2' | 'portable';

  scanBitmaps(
    segments: readonly BitmapSegment[],
    granularityBytes: number,
    ...window: NativeWindow
  ): Promise<NativePage>;
  countBitmaps(
    segments: readonly BitmapSegment[],
    granularityBytes: number,
    ...window: NativeWindow
  ): Promise<number>;
  paintRanges(ranges: Ranges, granularityBytes: number, ...window: NativeWindow): Promise<Uint8Array>;
  formatRanges(
    ranges: Ranges,
    before: string,
    between: string,
    after: string,
    cancel: CancelCell,
  ): Promise<Uint8Array>;
  scanClusters(tables: ClusterTables, wanted: ClusterClass, ...window: NativeWindow): Promise<NativePage>;
  scanFileData(fd: number, ...window: NativeWindow): Promise<NativePage>;
  lockState(fd: number): Promise<LockState>;
  /** Absent in addons that were built before it was. */
  holdImage?(fd: number): Promise<boolean>;
  /**
   * flock(2) without waiting; false where another open file's lock excludes it. The descriptor may be closed once this has been
   * called. Absent in addons that were built before it was.
   */
  lockFile?(fd: number, exclusive: boolean): Promise<boolean>;
  union: Combine;
  intersect: Combine;
  subtract: Combine;
  clip(ranges: Ranges, unit: undefined, ...window: NativeWindow): Promise<NativePage>;
  align(ranges: Ranges, granularityBytes: number, ...window: NativeWindow): Promise<NativePage>;
  split(ranges: Ranges, maxBytes: number, ...window: NativeWindow): Promise<NativePage>;
}

/** Whether a loaded module is the addon of this build; if not, the answer says why. */
export function checkAddon(loaded: unknown): asserts loaded is NativeAddon {
  const version = (loaded as Partial<NativeAddon> | null)?.interface;
  if (version !== NATIVE_INTERFACE) {
    throw new Error(`its interface is ${version}, expected ${NATIVE_INTERFACE}: it is from another build`);
  }
}
