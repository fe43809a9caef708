/** Short hands for the states of a disk that the core judges; sizes in MiB-like round numbers, names by the real format. */
import { formatChangeId, parseChangeId } from '../../lib/core/changeId.js';
import type { BitmapInfo, DiskState, LayerState } from '../../lib/core/diskSource.js';
import { formatSegmentName } from '../../lib/core/segmentName.js';

export const KIB64 = 65_536;
export const SIZE = 16 * KIB64;
export const EPOCH = 'aaaaaaaa-0000-4000-8000-00000000000a';
export const OLD_EPOCH = 'bbbbbbbb-0000-4000-8000-00000000000b';
export const NEW_EPOCH = 'cccccccc-0000-4000-8000-00000000000c';

/** UUID of the n-th point in time of these tests. */
export function pit(n: number): string {
  return `${n.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
}

/** The sequence number in a changeId. */
export function sequenceOf(changeId: string | undefined): number | null {
  return parseChangeId(changeId ?? '')?.sequence ?? null;
}

/** The changeId of the n-th point of a chain of these tests. */
export function changeIdOf(sequence: number, { epoch = EPOCH, uuid = pit(sequence) } = {}): string {
  return formatChangeId({ epoch, sequence, pit: uuid });
}

export interface SegmentOptions extends Partial<Omit<BitmapInfo, 'name'>> {
  last?: number;
  sizeBytes?: number;
  epoch?: string;
  pit?: string;
}

/** A segment's bitmap: frozen, whole and 64 KiB coarse unless told. */
export function segment(first: number, options: SegmentOptions = {}): BitmapInfo {
  const { last = first, sizeBytes = SIZE, epoch = EPOCH, pit: uuid = pit(first), ...info } = options;
  return bitmap(formatSegmentName({ epoch, first, last, sizeBytes, pit: uuid }), info);
}

/** A bitmap of any name. */
export function bitmap(name: string, info: Partial<Omit<BitmapInfo, 'name'>> = {}): BitmapInfo {
  return {
    name,
    granularityBytes: KIB64,
    recording: false,
    inconsistent: false,
    persistent: true,
    busy: false,
    ...info,
  };
}

export function layer(bitmaps: readonly BitmapInfo[], options: Partial<LayerState> = {}): LayerState {
  return { label: 'disk.qcow2', sizeBytes: SIZE, format: 'qcow2', bitmaps, ...options };
}

/** A disk of the layers given, top first. */
export function diskOf(...layers: readonly LayerState[]): DiskState {
  return { disk: 'vda', sizeBytes: layers[0]?.sizeBytes ?? 0, live: false, layers };
}

/** A disk of one layer. */
export function flatDisk(bitmaps: readonly BitmapInfo[], options: Partial<LayerState> = {}): DiskState {
  return diskOf(layer(bitmaps, options));
}

/** Segments 1 to `count`, the last one recording: a chain as it should be. */
export function wholeChain(count: number): BitmapInfo[] {
  return Array.from({ length: count }, (_, i) => segment(i + 1, { recording: i + 1 === count }));
}
